"""The state of a training and the steps that change it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.backbones.mace.config import Length
from uqbench.backbones.mace.objective import Example, Objective
from uqbench.backbones.mace.pieces import Pieces
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    import torch

WARM_UP = 0.02
LAST_RATE = 0.01
"""Share of all steps in which the rate rises, and share of the highest rate that it falls to."""
CLIP = 10.0
AVERAGE = 0.99
PATIENCE = 0.3
"""Share of the epochs after which training stops if the validation loss has not fallen."""


@dataclass
class TrainingRun:
    """The state of one training: what a checkpoint holds, and the steps that change it.

    prepared: wall and CPU seconds that it took to come so far; a curve's times include them.
    """

    objective: Objective
    length: Length
    training: list[Example]
    validation: list[Example]
    seed: int
    prepared: tuple[float, float]
    epoch: int = 0
    step: int = 0
    best_loss: float = math.inf
    best_epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""

    def __post_init__(self) -> None:
        import torch

        self.names = list(self.objective.weights())
        self.weights = list(self.objective.weights().values())
        self.averaged = [weight.detach().clone() for weight in self.weights]
        self.optimiser = torch.optim.Adam(self.weights, lr=0.0, amsgrad=True)
        self.pieces = Pieces(math.inf)
        self.n_steps = self.length.epochs * sum(1 for _ in self._batches(0))

    def epochs(self) -> Iterator[str]:
        """Train to the end, giving a line of text after each epoch."""
        patience = max(5, math.ceil(PATIENCE * self.length.epochs))
        while self.epoch < self.length.epochs and self.epoch - self.best_epoch < patience:
            start = time.perf_counter(), time.process_time()
            losses = []
            for number, batch in enumerate(self._batches(self.epoch)):
                loss = self._step(batch)
                if loss is None:
                    self._give_up(number, batch)
                    return
                losses.append(loss)
            self.epoch += 1
            yield self._validate(float(np.mean(losses)), start)

    def _batches(self, epoch: int) -> Iterator[list[Example]]:
        """The training examples in an order that depends on the seed and the epoch only."""
        order = np.random.default_rng([self.seed, 1, epoch]).permutation(len(self.training))
        shuffled = [self.training[i] for i in order]
        yield from Pieces(self.length.batch_atoms).run(shuffled, list)

    def _step(self, batch: Sequence[Example]) -> float | None:
        """One step of the optimiser; the loss before it, or None, and no step, if that is not finite."""
        import torch

        numbers = self.objective.counts(batch)

        def work(piece: Sequence[Example]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
            loss = self.objective.loss(self.objective.sums(piece, training=True), numbers)
            # Not backward(): what fails half-way must not leave parts of a gradient behind.
            return loss.detach(), torch.autograd.grad(loss, self.weights, allow_unused=True)

        results = list(self.pieces.run(batch, work))
        for i, weight in enumerate(self.weights):
            parts = [gradients[i] for _, gradients in results if gradients[i] is not None]
            weight.grad = None if not parts else sum(parts[1:], start=parts[0])
        norm = torch.nn.utils.clip_grad_norm_(self.weights, CLIP)
        loss = float(sum(float(loss) for loss, _ in results))
        if not (math.isfinite(loss) and math.isfinite(float(norm))):
            return None
        self.optimiser.param_groups[0]["lr"] = self._rate()
        self.optimiser.step()
        self.step += 1
        # The average forgets the random start sooner than AVERAGE alone would.
        share = 1.0 - min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, weight in zip(self.averaged, self.weights, strict=True):
                mean.lerp_(weight, share)
        return loss

    def _rate(self) -> float:
        highest = self.length.rate
        rising = max(1.0, WARM_UP * self.n_steps)
        if self.step < rising:
            return highest * (self.step + 1) / rising
        done = (self.step - rising) / max(1.0, self.n_steps - rising)
        return highest * (LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * done)))

    @contextmanager
    def _with_averaged_weights(self) -> Iterator[None]:
        own = [weight.detach().clone() for weight in self.weights]
        _assign(self.weights, self.averaged)
        yield
        _assign(self.weights, own)

    def _validate(self, loss: float, start: tuple[float, float]) -> str:
        """Score the averaged weights, keep them if they are the best so far, and note it in the curve."""
        import torch

        with self._with_averaged_weights():
            chunks = Pieces(min(self.pieces.atoms, 4 * self.length.batch_atoms)).run(
                self.validation, lambda piece: self.objective.sums(piece, training=False).detach()
            )
            sums = torch.stack(list(chunks)).sum(0)
        numbers = self.objective.counts(self.validation)
        score = float(self.objective.loss(sums, numbers))
        if math.isfinite(score) and score < self.best_loss:
            self.best_loss, self.best_epoch = score, self.epoch
            self.best = {name: mean.clone() for name, mean in zip(self.names, self.averaged, strict=True)}
        figures = self.objective.figures(sums.cpu().numpy(), numbers)
        row = {"epoch": float(self.epoch), "loss": loss, "validation_loss": score, **figures}
        now = time.perf_counter(), time.process_time()
        for k, name in enumerate(("seconds", "cpu_seconds")):
            row[name] = (self.curve[-1][name] if self.curve else self.prepared[k]) + now[k] - start[k]
        self.curve.append(row)
        return (
            f"epoch {self.epoch}/{self.length.epochs}: validation {self.objective.words(figures)}; "
            f"{row['seconds']:.0f} s"
        )

    def _give_up(self, number: int, batch: Sequence[Example]) -> None:
        sources = "; ".join(example.source for example in batch[:5]) + (" …" if len(batch) > 5 else "")
        self.stopped = (
            f"the loss of batch {number + 1} in epoch {self.epoch + 1} is not finite ({len(batch)} frames: "
            f"{sources})"
        )

    def snapshot(self) -> dict[str, Any]:
        """All that is needed to go on, as tensors, numbers and containers of these."""
        return {
            "weights": [weight.detach() for weight in self.weights],
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "numbers": [self.epoch, self.step, self.best_loss, self.best_epoch, self.pieces.atoms],
            "best": self.best,
            "curve": self.curve,
        }

    def resume(self, saved: Mapping[str, Any], key: str, path: Path) -> None:
        """Take over a snapshot. Raises UqbenchError if it is of another training."""
        if saved["key"] != key:
            raise UqbenchError(
                f"{path} is the checkpoint of another training (other frames, configuration, seed or device); "
                "give another file or delete it."
            )
        _assign(self.weights, saved["weights"])
        _assign(self.averaged, saved["averaged"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.epoch, self.step, self.best_loss, self.best_epoch, self.pieces.atoms = saved["numbers"]
        self.best, self.curve = saved["best"], saved["curve"]


def _assign(targets: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    import torch

    with torch.no_grad():
        for target, value in zip(targets, values, strict=True):
            target.copy_(value)
