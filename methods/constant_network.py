"""The baseline of methods for networks: one error bar a kind, the RMSE on train, about the network's own mean.

`constant`, which tables divide by, has the mean of a last layer that is fitted anew to all training frames: another
potential, mostly a better one. What a deep ensemble or a noise head knows of its errors shows beside this method.
Cost: the network that all methods share, and a prediction of the training frames.
Limits: says nothing of which prediction to trust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from uqbench.api import (
    KINDS,
    Array,
    Frame,
    Kind,
    NetworkMethod,
    NetworkProblem,
    Posterior,
    Prediction,
    Predictions,
    TrainedNetwork,
)

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class ConstantNetwork(NetworkMethod):
    """Training RMSE of each kind as the standard deviation of all."""

    def fit(self, problem: NetworkProblem, rng: Generator) -> OneWidth:
        """Train network 0 and predict what it was trained on; rng is not used."""
        network = problem.train(0)
        means = _means(network, [frame.atoms for frame in problem.frames], problem.device)
        std: dict[Kind, float] = {}
        for kind in KINDS:
            rms = _rms(problem.frames, kind, means[kind])
            if rms is not None:
                std[kind] = rms
        return OneWidth(network, problem.device, std, {f"std_{kind}": rms for kind, rms in std.items()})


@dataclass(frozen=True)
class OneWidth(Posterior):
    """A network with one standard deviation for each kind that it was trained on; others are not predicted."""

    network: TrainedNetwork
    device: str
    std: Mapping[Kind, float]
    facts: Mapping[str, float | str]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """See Posterior.predict."""
        found = {}
        for kind, means in _means(self.network, structures, self.device).items():
            if kind in self.std:
                mean = np.concatenate([np.empty(0), *means])
                found[kind] = Prediction(mean, np.full(len(mean), self.std[kind]))
        return Predictions(**found)


def _means(network: TrainedNetwork, structures: Sequence[Atoms], device: str) -> dict[Kind, list[Array]]:
    """What the network says of each structure, as Predictions order it."""
    found = network.predict(structures, device)
    return {
        "energy": [np.array([p.energy / len(s)]) for p, s in zip(found, structures, strict=True)],
        "forces": [p.forces.ravel() for p in found],
        "stress": [np.empty(0) if p.stress is None else p.stress for p in found],
    }


def _rms(frames: Sequence[Frame], kind: Kind, means: Sequence[Array]) -> float | None:
    """Root mean square error of what symmetry leaves free; None without labels."""
    errors = [
        (labels - mean)[frame.free(kind)]
        for frame, mean in zip(frames, means, strict=True)
        if (labels := frame.labels(kind)) is not None
    ]
    together = np.concatenate([np.empty(0), *errors])
    return float(np.sqrt(np.mean(together**2))) if len(together) else None
