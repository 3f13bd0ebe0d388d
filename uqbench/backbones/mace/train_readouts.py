"""Training of several readouts on the frozen trunk of a plain network.

Cost: the design rows of the frames, once, about as much as eight predictions; epochs take a fraction of a second.
Reproducible, stopped early and resumed as plain training is, with the same clusters kept aside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, NetworkRequest, Readouts
from uqbench.backbones.mace.config import Length
from uqbench.backbones.mace.model import last_layer, n_last_layer
from uqbench.backbones.mace.noise_objective import free_labels, residuals
from uqbench.backbones.mace.preparation import Preparation
from uqbench.backbones.mace.readouts_objective import ReadoutScore, RowExample, with_rows
from uqbench.backbones.mace.shallow import ShallowMace
from uqbench.backbones.mace.trained import TrainedMace

EPOCHS = 200
RATE = 0.02


def train_readouts(request: NetworkRequest, variant: Readouts, start: TrainedMace) -> ShallowMace:
    """Train several readouts on frames; see uqbench.backbones.mace.train.

    start: the plain network; readouts start from its own, apart by a random vector that spreads predictions by about
    their error.
    """
    import torch

    frames = request.frames
    ready = Preparation.of(request, start.config)
    left = [free_labels(e, f) for e, f in zip(residuals(ready.examples, frames, start), frames, strict=True)]
    found = with_rows(left, list(start.rows([frame.atoms for frame in frames], request.device)))
    errors, unit = _units([found[i] for i in ready.learn], n_last_layer(start.network()))
    drawn = np.random.default_rng([request.seed, 2]).standard_normal((variant.count, len(unit)))
    deviations = (drawn - drawn.mean(axis=0)) / np.sqrt(len(unit))
    tensors = (torch.as_tensor(values, device=ready.device) for values in (deviations, unit, errors))
    start_at, unit_there, errors_there = tensors
    run = ready.run(
        ReadoutScore(start_at.requires_grad_(True), unit_there, errors_there),
        Length(EPOCHS, start.config.length.batch_atoms, RATE),
        found,
    )
    best = run.best["deviations"].cpu().numpy() * unit
    return ShallowMace(
        start.config,
        request.elements,
        dict(request.references),
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
    state, done = dict(start.state), 0
    for name in last_layer(start.network()):
        own = state[name]
        state[name] = (own + by[done : done + own.size]).astype(np.float32)
        done += own.size
    return state
