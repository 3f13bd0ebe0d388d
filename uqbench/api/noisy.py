"""A network with a noise head as a posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api.network import NoisyNetwork
from uqbench.api.posterior import Posterior
from uqbench.api.prediction import Array, Prediction, Predictions

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class NoisyPotential(Posterior):
    """The mean is the network's own; its noise is the error bar. Of stress such a noise says nothing: there is none.

    device: where it predicts. site_local: see NoisyNetwork.noise.
    """

    network: NoisyNetwork
    device: str
    site_local: bool
    facts: Mapping[str, float | str]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Energies per atom and forces with the standard deviations of their noise; see Posterior.predict."""
        found = self.network.predict(structures, self.device)
        means = [np.concatenate([[p.energy], p.forces.ravel()]) for p in found]
        noise = self.network.noise(structures, self.device, self.site_local)
        return noisy_predictions(means, [one.variances() for one in noise])

    def mean_potential(self) -> Calculator:
        """The network as a calculator."""
        return self.network.calculator(self.device)

    def joint_covariance(self, structure: Atoms) -> Array:
        """See HasJointNoise."""
        return self.network.noise([structure], self.device, self.site_local)[0].covariance()


def noisy_predictions(means: Sequence[Array], variances: Sequence[Array]) -> Predictions:
    """Predictions of energies and forces from means and variances of total energy and forces, (1 + 3N,) each."""
    sizes = np.array([(len(mean) - 1) // 3 for mean in means])
    energies = np.array([mean[0] for mean in means]) / sizes
    deviations = np.sqrt([variance[0] for variance in variances]) / sizes
    forces, spreads = (
        np.concatenate([np.empty(0), *(values[1:] for values in given)]) for given in (means, variances)
    )
    return Predictions(Prediction(energies, deviations), Prediction(forces, np.sqrt(spreads)))
