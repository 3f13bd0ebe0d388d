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

from dataclasses import dataclass

from numpy.random import Generator

from uqbench.api import Ensemble, NetworkMethod, NetworkProblem, train_members
from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class DeepEnsemble(NetworkMethod):
    """Mean and spread of whole networks.

    members: number M of networks, at least 2.
    """

    members: int = 5

    def __post_init__(self) -> None:
        if self.members < 2:
            raise UqbenchError(f"deep_ensemble: members is {self.members}; a spread needs at least 2.")

    def fit(self, problem: NetworkProblem, rng: Generator) -> Ensemble:
        """Train the members; rng is not used. Raises UqbenchError if fewer than two come of it.

        A member that fails is left out, and the facts say why.
        """
        networks, facts = train_members("deep_ensemble", self.members, problem.train)
        return Ensemble(networks, problem.device, facts)
