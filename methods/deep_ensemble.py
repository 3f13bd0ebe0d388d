"""A deep ensemble: networks that differ by their seed; their mean predicts, their spread is the error bar.

Seeds decide the first weights, the order of training and which frames stop it. Members are potentials of their own,
so simulation results are computed with each.

Cost: every member is trained and predicts; the first one is the network that all methods share.
Limits: members agree where they were trained alike, wrong or not: error bars are too narrow before calibration, and
most of all for energies. Few members give heavy-tailed intervals (Student-t).
Reference: Lakshminarayanan, Pritzel, Blundell, NeurIPS 30 (2017), arXiv 1612.01474, without adversarial examples and
without a noise of each member's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from uqbench.api import (
    Array,
    NetworkMethod,
    NetworkProblem,
    Posterior,
    Prediction,
    Predictions,
    TrainedNetwork,
)
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class DeepEnsemble(NetworkMethod):
    """Mean and spread of whole networks.

    members: number M of networks, at least 2.
    """

    members: int = 5

    def __post_init__(self) -> None:
        if self.members < 2:
            raise UqbenchError(f"deep_ensemble: members is {self.members}; a spread needs at least 2.")

    def fit(self, problem: NetworkProblem, rng: Generator) -> NetworkEnsemble:
        """Train the members; rng is not used. Raises UqbenchError if fewer than two come of it.

        A member that fails is left out, and the facts say why.
        """
        networks: list[TrainedNetwork] = []
        facts: dict[str, float | str] = {}
        for member in range(self.members):
            try:
                networks.append(problem.train(member))
            except (UqbenchError, RuntimeError) as error:  # torch raises the latter
                facts[f"member_{member}_failed"] = str(error)
                continue
            if networks[-1].stopped:
                facts[f"member_{member}_stopped"] = networks[-1].stopped
        if len(networks) < 2:
            raise UqbenchError(
                f"deep_ensemble: {self.members - len(networks)} of {self.members} members failed to train, and a "
                f"spread needs 2: {next(iter(facts.values()))}"
            )
        facts = {"members_trained": float(len(networks)), **facts}
        return NetworkEnsemble(tuple(networks), problem.device, facts)


@dataclass(frozen=True)
class NetworkEnsemble(Posterior):
    """Several networks (M >= 2) as one posterior; samples are the members' own predictions."""

    networks: tuple[TrainedNetwork, ...]
    device: str
    facts: Mapping[str, float | str]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Mean and spread (ddof = 1) of the members; see Posterior.predict."""
        found = [network.predict(structures, self.device) for network in self.networks]
        sizes = [len(atoms) for atoms in structures]
        return Predictions(
            _spread([[np.array([p.energy / n]) for p, n in zip(one, sizes, strict=True)] for one in found]),
            _spread([[p.forces.ravel() for p in one] for one in found]),
            _spread([[p.stress for p in one if p.stress is not None] for one in found]),
        )

    def members(self) -> Sequence[Calculator]:
        """The networks as potentials."""
        return [network.calculator(self.device) for network in self.networks]


def _spread(members: Sequence[Sequence[Array]]) -> Prediction:
    samples = np.array([np.concatenate([np.empty(0), *parts]) for parts in members])
    return Prediction(samples.mean(axis=0), samples.std(axis=0, ddof=1), samples=samples)
