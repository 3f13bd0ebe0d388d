"""A shallow ensemble: several linear readouts on one trunk, trained so that their spread is their error.

Readouts start apart and are trained by the Gaussian negative log-likelihood of labels under their mean and variance,
for energies, forces and stresses; first they alone, then, fewer times and more slowly, all weights with them. Each is a
potential of its own, so simulation results are computed with each.

Cost: design rows of the frames and seconds of training on them; of all weights, a backward pass a readout, once to
twice what the plain network took. A prediction costs design rows, whatever the number of readouts.
Limits: all readouts see the same features: what these cannot tell apart, no readout does. Fewer readouts than
last-layer weights span a part of their space. On a frozen trunk the likelihood of validation frames of the embedded
aluminium is worse (negative log 0.84 against 0.81 a label, and 1.12 against 0.68, in two folds); on test frames the two
differ little.
Reference: Kellner & Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024), arXiv 2402.16621; all weights after the
readouts, with forces' likelihood: Schäfer, Kellner, Kästner & Ceriotti, arXiv 2602.15747.
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
from uqbench.api.variant import Trunk

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class ShallowEnsemble(NetworkMethod):
    """Mean and spread of readouts.

    members: number M of readouts, at least 2.
    trunk: "trained" (after the readouts, all weights by the same score) or "frozen" (that of the network that all
    methods share).
    """

    members: int = 16
    trunk: Trunk = "trained"

    def __post_init__(self) -> None:
        _ = self.readouts

    @property
    def readouts(self) -> Readouts:
        """What the backbone is asked for. Raises UqbenchError for values that are not allowed."""
        return Readouts(self.members, self.trunk)

    def fit(self, problem: NetworkProblem, rng: Generator) -> ShallowPosterior:
        """Train readouts on network 0; rng is not used."""
        network = problem.committee(0, self.readouts)
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
