"""Mean-variance estimate: the network predicts standard deviations of the energy and of each atom's force by itself.

The white-noise baseline of correlated_noise: errors of energy and force components are independent, and their sizes
have nothing to do with each other.
Cost: a head on the network that all methods share, or, by other schedules, a network of its own.
Limits: error bars of energy and forces contradict each other as those of one potential; no stress. What is learnt is
how far off the network was on its own training frames.
Reference: Nix & Weigend, Proc. IEEE Int. Conf. Neural Netw. 1, 55 (1994).
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from uqbench.api import NetworkMethod, NetworkProblem, NoiseHead, NoisyPotential
from uqbench.api.variant import Schedule


@dataclass(frozen=True)
class MeanVariance(NetworkMethod):
    """One network with a head for white noise.

    schedule: see correlated_noise.
    """

    schedule: Schedule = "frozen_mean"

    def fit(self, problem: NetworkProblem, rng: Generator) -> NoisyPotential:
        """Train network 0 with its head; rng is not used."""
        network = problem.noisy(0, NoiseHead("white", self.schedule))
        facts: dict[str, float | str] = {"head_stopped": network.stopped} if network.stopped else {}
        return NoisyPotential(network, problem.device, False, facts)
