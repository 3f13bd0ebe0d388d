"""Correlated noise: energies and forces are off by a random process and its gradient, whose size the network predicts.

The observed energy is E = μ + s z with a Gaussian process z over configurations, and observed forces are minus the
gradient of both, so one head that gives s, and a length ℓ, give the standard deviations of energy and forces and their
covariances. The exact joint likelihood costs O(N).

Cost: by default a head on the network that all methods share, half as many epochs as that took; "joint" and
"warm_start" train the whole network. A prediction is two force calls.
Limits: labels of electronic-structure theory have hardly any noise: what is learnt is how far off the network was on
its own training frames. One process for a whole structure is not size-consistent and gives a rigid translation a
variance. site_local does neither, but ℓ is learnt with the global law: in cells smaller than a neighbourhood, where an
atom counts once for each image, its forces come out too wide before calibration. No stress: the process has no law for
strains. The joint likelihood ruins the energies of the mean, since one of them stands against 3N forces: on validation
frames of the embedded aluminium they are off by 145 meV/atom, against 29 with a frozen mean, which is the default.
Reference: Jørgensen, Busk, Winther, Schmidt, arXiv 2312.04174; site_local is an extension of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from uqbench.api import NetworkMethod, NetworkProblem, NoiseHead, NoisyPotential
from uqbench.api.variant import Schedule


@dataclass(frozen=True)
class CorrelatedNoise(NetworkMethod):
    """One network with a head for correlated noise.

    schedule: "frozen_mean" (the head alone, on the network that all methods share), "warm_start" (from there, all
    weights) or "joint" (all from the start).
    energy_weight: multiplies the likelihood of energies; 1 is the exact joint likelihood.
    nuggets: whether white noise is added to energies and forces.
    site_local: predict with independent processes of all sites instead of one for the structure.
    """

    schedule: Schedule = "frozen_mean"
    energy_weight: float = 1.0
    nuggets: bool = False
    site_local: bool = False

    def __post_init__(self) -> None:
        _ = self.head

    @property
    def head(self) -> NoiseHead:
        """What the backbone is asked for. Raises UqbenchError for values that are not allowed."""
        return NoiseHead("correlated", self.schedule, self.energy_weight, self.nuggets)

    def fit(self, problem: NetworkProblem, rng: Generator) -> NoisyPotential:
        """Train network 0 with its head; rng is not used."""
        network = problem.noisy(0, self.head)
        facts: dict[str, float | str] = {"head_stopped": network.stopped} if network.stopped else {}
        return NoisyPotential(network, problem.device, self.site_local, facts)
