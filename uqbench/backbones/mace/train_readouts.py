"""Training of several readouts on the trunk of a plain network, which stays as it is or is trained after them.

Cost: the design rows of the frames, once, about as much as eight predictions; epochs take a fraction of a second. Where
the trunk is trained too, each of its epochs, a quarter as many as plain training has, takes a backward pass a readout.
Reproducible, stopped early and resumed as plain training is, with the same clusters kept aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, NetworkRequest, Readouts
from uqbench.backbones.mace.config import Length
from uqbench.backbones.mace.model import last_layer, n_last_layer
from uqbench.backbones.mace.noise_objective import free_labels, residuals
from uqbench.backbones.mace.objective import Example
from uqbench.backbones.mace.preparation import Preparation, best_weights
from uqbench.backbones.mace.readouts_objective import FrozenTrunk, RowExample, WholeNetwork, with_rows
from uqbench.backbones.mace.shallow import ShallowMace
from uqbench.backbones.mace.trained import TrainedMace

EPOCHS = 200
RATE = 0.02
TRUNK_EPOCHS, TRUNK_RATE = 0.25, 0.05
"""Of all weights, in those of plain training."""


def train_readouts(request: NetworkRequest, variant: Readouts, start: TrainedMace) -> ShallowMace:
    """Train several readouts on frames; see uqbench.backbones.mace.train.

    start: the plain network; readouts start from its own, apart by a random vector that spreads predictions by about
    their error.
    """
    ready = Preparation.of(request, start.config)
    if variant.trunk == "frozen":
        return _readouts(ready, variant, start)[0]
    # Readouts take seconds: a checkpoint is kept of what comes after them.
    first = replace(ready, request=replace(request, checkpoint=None))
    return _all_weights(ready, *_readouts(first, variant, start))


def _readouts(ready: Preparation, variant: Readouts, start: TrainedMace) -> tuple[ShallowMace, Array, Array]:
    """Readouts on the frozen trunk, units of their weights (P,), and errors of the kinds (3,) that scores count in."""
    import torch

    request, frames = ready.request, ready.request.frames
    left = _free(residuals(ready.examples, frames, start, request.device), request)
    found = with_rows(left, list(start.rows([frame.atoms for frame in frames], request.device)))
    errors, unit = _units([found[i] for i in ready.learn], n_last_layer(start.network()))
    drawn = np.random.default_rng([request.seed, 2]).standard_normal((variant.count, len(unit)))
    deviations = (drawn - drawn.mean(axis=0)) / np.sqrt(len(unit))
    at, unit_there, errors_there = (
        torch.as_tensor(v, device=ready.device) for v in (deviations, unit, errors)
    )
    run = ready.run(
        FrozenTrunk(at.requires_grad_(True), unit_there, errors_there),
        Length(EPOCHS, start.config.length.batch_atoms, RATE),
        found,
    )
    best = run.best["deviations"].cpu().numpy() * unit
    shallow = ShallowMace(
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
    return shallow, unit, errors


def _all_weights(ready: Preparation, shallow: ShallowMace, unit: Array, errors: Array) -> ShallowMace:
    """The readouts and their trunk, trained further."""
    import torch

    network = shallow.own_network().float().to(ready.device)
    at, unit_there, errors_there = (
        torch.as_tensor(v, dtype=torch.float32, device=ready.device)
        for v in (shallow.readouts["deviations"] / unit, unit, errors)
    )
    run = ready.run(
        WholeNetwork(at.requires_grad_(True), unit_there, errors_there, network),
        shallow.config.length.times(TRUNK_EPOCHS, TRUNK_RATE),
        _free(ready.examples, ready.request),
    )
    best = best_weights(run)
    apart = best.pop("deviations") * unit
    return replace(
        shallow,
        state={**shallow.state, **best},
        curve=tuple(run.curve),
        stopped=run.stopped,
        readouts={"deviations": (apart - apart.mean(axis=0)).astype(np.float32)},
    )


def _free(examples: Sequence[Example], request: NetworkRequest) -> list[Example]:
    return [free_labels(e, f) for e, f in zip(examples, request.frames, strict=True)]


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
