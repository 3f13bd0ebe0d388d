"""What all trainings of networks begin with and how they end: frames as examples, some kept aside, a key, a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Frame, NetworkRequest
from uqbench.backbones.mace.checkpoint import read_torch, training_key, write_torch
from uqbench.backbones.mace.config import GivenConfig, Length, MaceConfig
from uqbench.backbones.mace.early_stopping import carve_validation
from uqbench.backbones.mace.graphs import make_graph
from uqbench.backbones.mace.objective import Example, Objective, make_example
from uqbench.backbones.mace.quiet import full_precision, torch_device
from uqbench.backbones.mace.training_run import TrainingRun
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    import torch

FORMAT = "uqbench mace checkpoint 1"


@dataclass(frozen=True)
class Preparation:
    """A request made ready.

    examples: of all frames. learn, aside: numbers of those that are learnt from and of those that decide when to stop.
    key: of all that decides the training. began: wall and CPU seconds when all this was begun.
    """

    request: NetworkRequest
    device: torch.device
    examples: list[Example]
    learn: list[int]
    aside: list[int]
    key: str
    began: tuple[float, float]

    @classmethod
    def of(cls, request: NetworkRequest, config: MaceConfig | GivenConfig) -> Preparation:
        """Raises UqbenchError if frames are too few or have an element that was not asked for, and for a device that is
        not there."""
        began = time.perf_counter(), time.process_time()
        device = torch_device(request.device)
        examples = make_examples(request.frames, request.elements, config.cutoff, request.references)
        learn, aside = carve_validation(request.frames, np.random.default_rng([request.seed, 0]))
        decides = (
            request.variant,
            config,
            config.architecture,  # the numbers behind the name of a size
            request.elements,
            sorted(request.references.items()),
            request.seed,
            device.type,
        )
        return cls(request, device, examples, learn, aside, training_key(decides, examples), began)

    def run(self, objective: Objective, length: Length, examples: Sequence[Example]) -> TrainingRun:
        """Train to the end on examples, one a frame.

        Goes on from the checkpoint if it is there, and writes it after each epoch. Raises UqbenchError for a checkpoint
        of another training, too little memory, and a loss that is never finite.
        """
        run = TrainingRun(
            objective,
            length,
            [examples[i] for i in self.learn],
            [examples[i] for i in self.aside],
            self.request.seed,
            (time.perf_counter() - self.began[0], time.process_time() - self.began[1]),
        )
        _train_to_the_end(run, self.key, self.request.checkpoint, self.request.say)
        return run


def make_examples(
    frames: Sequence[Frame], elements: tuple[str, ...], cutoff: float, references: Mapping[str, float]
) -> list[Example]:
    """Frames as examples. Raises UqbenchError naming the frame that has no graph."""
    return [_example(frame, elements, cutoff, references) for frame in frames]


def best_weights(run: TrainingRun) -> dict[str, NDArray[np.float32]]:
    """Those of the best epoch, by name."""
    return {name: values.cpu().numpy() for name, values in run.best.items()}


def _example(
    frame: Frame, elements: tuple[str, ...], cutoff: float, references: Mapping[str, float]
) -> Example:
    try:
        graph = make_graph(frame.atoms, elements, cutoff)
    except UqbenchError as error:
        raise UqbenchError(f"{frame.source}: {error}") from None
    total = sum(references[symbol] for symbol in frame.atoms.get_chemical_symbols())
    return make_example(frame, graph, total / len(graph))


def _train_to_the_end(
    run: TrainingRun, key: str, checkpoint: Path | None, say: Callable[[str], None]
) -> None:
    if checkpoint is not None and checkpoint.exists():
        run.resume(read_torch(checkpoint, FORMAT), key, checkpoint)
        say(f"goes on after epoch {run.epoch} of {run.length.epochs} from {checkpoint}")
    with full_precision():
        for text in run.epochs():
            say(text)
            if checkpoint is not None:
                write_torch(checkpoint, {"format": FORMAT, "key": key, **run.snapshot()})
    if run.stopped:
        say(run.stopped)
    if not run.best:
        raise UqbenchError(
            f"{run.stopped or 'the validation loss was never finite'}, before any epoch was done well. Look for atoms "
            "that almost touch or labels that are far off in these frames."
        )
