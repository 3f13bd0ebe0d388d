"""Training of several readouts on the frozen trunk of a plain network.

Cost: the design rows of the frames, once, about as much as eight predictions; epochs take a fraction of a second.
Reproducible, stopped early and resumed as plain training is, with the same clusters kept aside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Frame, Readouts
from uqbench.backbones.mace.checkpoint import training_key
from uqbench.backbones.mace.early_stopping import carve_validation
from uqbench.backbones.mace.noise_objective import free_labels, residuals
from uqbench.backbones.mace.objective import Example
from uqbench.backbones.mace.quiet import torch_device
from uqbench.backbones.mace.readouts_objective import ReadoutScore, RowExample, with_rows
from uqbench.backbones.mace.shallow import ShallowMace
from uqbench.backbones.mace.train import make_examples, train_to_the_end
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.backbones.mace.training_run import Length, TrainingRun

EPOCHS = 200
RATE = 0.02


def train_readouts(
    variant: Readouts,
    start: TrainedMace,
    frames: Sequence[Frame],
    elements: tuple[str, ...],
    references: Mapping[str, float],
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> ShallowMace:
    """Train several readouts on frames; see uqbench.backbones.mace.train.

    start: the plain network trained on the same with the same seed; readouts start from its own, apart by a random
    vector that spreads predictions by about their error.
    """
    import torch

    began = time.perf_counter(), time.process_time()
    target = torch_device(device)
    config = start.config
    examples = make_examples(frames, elements, config.cutoff, references)
    learn, aside = carve_validation(frames, np.random.default_rng([seed, 0]))
    key = training_key(
        (variant, config, config.architecture, elements, sorted(references.items()), seed, target.type),
        examples,
    )
    left = [free_labels(e, f) for e, f in zip(residuals(examples, frames, start), frames, strict=True)]
    found = with_rows(left, list(start.rows([frame.atoms for frame in frames], device)))
    training: list[Example] = [found[i] for i in learn]
    errors, unit = _units([found[i] for i in learn], config.architecture.n_last_layer)
    drawn = np.random.default_rng([seed, 2]).standard_normal((variant.count, len(unit)))
    deviations = (drawn - drawn.mean(axis=0)) / np.sqrt(len(unit))
    tensors = (torch.as_tensor(values, device=target) for values in (deviations, unit, errors))
    start_at, unit_there, errors_there = tensors
    run = TrainingRun(
        ReadoutScore(start_at.requires_grad_(True), unit_there, errors_there),
        Length(EPOCHS, config.architecture.batch_atoms, RATE),
        training,
        [found[i] for i in aside],
        seed,
        (time.perf_counter() - began[0], time.process_time() - began[1]),
    )
    train_to_the_end(run, key, checkpoint, say)
    best = run.best["deviations"].cpu().numpy() * unit
    return ShallowMace(
        config,
        elements,
        dict(references),
        start.normalisation,
        _shifted(start, best.mean(axis=0)),
        tuple(run.curve),
        run.stopped,
        variant,
        {"deviations": (best - best.mean(axis=0)).astype(np.float32)},
    )


def _units(training: Sequence[RowExample], n_features: int) -> tuple[Array, Array]:
    """(3,) RMS errors of the kinds, and (P,) units of weights in which columns over errors have an RMS of one."""
    errors, squares = np.ones(3), []
    start = np.zeros(len(training), dtype=int)
    for k in range(3):
        present = [np.isfinite(example.labels[k]) for example in training]
        labels = np.concatenate([e.labels[k][p] for e, p in zip(training, present, strict=True)])
        if len(labels) and labels.any():
            errors[k] = np.sqrt(np.mean(labels**2))
            rows = np.concatenate(
                [
                    e.rows[at + np.flatnonzero(p), -n_features:]
                    for e, p, at in zip(training, present, start, strict=True)
                ]
            )
            squares.append(np.mean((rows / errors[k]) ** 2, axis=0))
        start += [len(example.labels[k]) for example in training]
    sizes = np.sqrt(np.mean(squares, axis=0))
    return errors, 1.0 / np.maximum(sizes, 1e-6 * sizes.max())


def _shifted(start: TrainedMace, by: Array) -> dict[str, NDArray[np.float32]]:
    """The network's weights with by (P,) added to those of its readouts."""
    state = dict(start.state)
    channels = start.config.architecture.channels
    for layer, part in enumerate(np.split(by, len(by) // channels)):
        name = f"readouts.{layer}.linear.weight"
        state[name] = (state[name] + part).astype(np.float32)
    return state
