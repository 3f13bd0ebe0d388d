"""An ensemble of networks with heads for correlated noise: what they say of their errors, and how they differ.

Energies and forces have the covariance of the mixture: the mean of the members' covariances (aleatoric) and the
covariance of their means (epistemic). Members are potentials of their own, so simulation results are computed with
each, without their noise; stress has the spread of the members alone.

Cost: that of deep_ensemble, and a head a member.
Limits: those of correlated_noise and deep_ensemble.
Reference: Jørgensen, Busk, Winther, Schmidt, arXiv 2312.04174; Lakshminarayanan, Pritzel, Blundell, arXiv 1612.01474.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from uqbench.api import (
    Array,
    NetworkMethod,
    NetworkProblem,
    NoiseHead,
    NoisyNetwork,
    Posterior,
    Predictions,
    spread,
    train_members,
)
from uqbench.api.noisy import noisy_predictions
from uqbench.api.variant import Schedule
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class CorrelatedNoiseEnsemble(NetworkMethod):
    """Several networks, each with its head.

    members: number M of networks, at least 2. schedule, site_local: see correlated_noise.
    """

    members: int = 5
    schedule: Schedule = "frozen_mean"
    site_local: bool = False

    def __post_init__(self) -> None:
        if self.members < 2:
            raise UqbenchError(
                f"correlated_noise_ensemble: members is {self.members}; a spread needs at least 2."
            )

    def fit(self, problem: NetworkProblem, rng: Generator) -> NoisyEnsemble:
        """Train the members; rng is not used. Raises UqbenchError if fewer than two come of it."""
        head = NoiseHead("correlated", self.schedule)
        networks, facts = train_members(
            "correlated_noise_ensemble", self.members, lambda member: problem.noisy(member, head)
        )
        return NoisyEnsemble(networks, problem.device, self.site_local, facts)


@dataclass(frozen=True)
class NoisyEnsemble(Posterior):
    """Several networks (M >= 2), each with its own noise, as one posterior."""

    networks: tuple[NoisyNetwork, ...]
    device: str
    site_local: bool
    facts: Mapping[str, float | str]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Mean and standard deviation of the mixture, of stress those of the members; see Posterior.predict."""
        found = [network.predict(structures, self.device) for network in self.networks]
        means = [
            np.array([np.concatenate([[p.energy], p.forces.ravel()]) for p in of_one])
            for of_one in zip(*found, strict=True)
        ]
        noise = [network.noise(structures, self.device, self.site_local) for network in self.networks]
        mixed = [
            np.mean([one.variances() for one in of_one], axis=0) + values.var(axis=0, ddof=1)
            for values, of_one in zip(means, zip(*noise, strict=True), strict=True)
        ]
        energies_and_forces = noisy_predictions([values.mean(axis=0) for values in means], mixed)
        return replace(energies_and_forces, stress=spread(found, structures).stress)

    def members(self) -> Sequence[Calculator]:
        """The networks as potentials."""
        return [network.calculator(self.device) for network in self.networks]

    def mean_potential(self) -> Calculator:
        """The mean of the members."""
        from ase.calculators.mixing import AverageCalculator

        return AverageCalculator(self.members())  # pyright: ignore[reportReturnType]

    def joint_covariance(self, structure: Atoms) -> Array:
        """Mean of the members' covariances and covariance (ddof = 1) of their means; see HasJointNoise."""
        found = [network.predict([structure], self.device)[0] for network in self.networks]
        means = np.array([np.concatenate([[p.energy], p.forces.ravel()]) for p in found])
        own = [network.noise([structure], self.device, self.site_local)[0] for network in self.networks]
        return np.mean([noise.covariance() for noise in own], axis=0) + np.cov(means, rowvar=False)
