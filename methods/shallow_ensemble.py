"""A shallow ensemble: several linear readouts on one trunk, trained so that their spread is their error.

Readouts start apart and are trained by the Gaussian negative log-likelihood of labels under their mean and variance,
for energies, forces and stresses. Each is a potential of its own, so simulation results are computed with each.

Cost: design rows of the frames, and seconds of training on them; a prediction costs design rows, whatever the number
of readouts.
Limits: the trunk is that of the network that all methods share and stays as it is, where the reference trains it too:
what the features cannot see, no readout does. Fewer readouts than last-layer weights span a part of their space.
Reference: Kellner & Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024), arXiv 2402.16621.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.random import Generator

from uqbench.api import (
    CommitteeNetwork,
    NetworkMethod,
    NetworkProblem,
    Posterior,
    Predictions,
    Readouts,
    spread,
)

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class ShallowEnsemble(NetworkMethod):
    """Mean and spread of readouts.

    members: number M of readouts, at least 2.
    """

    members: int = 16

    def __post_init__(self) -> None:
        _ = Readouts(self.members)

    def fit(self, problem: NetworkProblem, rng: Generator) -> ShallowPosterior:
        """Train readouts on network 0; rng is not used."""
        network = problem.committee(0, Readouts(self.members))
        facts: dict[str, float | str] = {"readouts_stopped": network.stopped} if network.stopped else {}
        return ShallowPosterior(network, problem.device, facts)


@dataclass(frozen=True)
class ShallowPosterior(Posterior):
    """Several readouts of one network; samples are their own predictions."""

    network: CommitteeNetwork
    device: str
    facts: Mapping[str, float | str]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Mean and spread (ddof = 1) of the readouts; see Posterior.predict."""
        return spread(self.network.predict_members(structures, self.device), structures)

    def members(self) -> Sequence[Calculator]:
        """The readouts as potentials."""
        return self.network.member_calculators(self.device)
