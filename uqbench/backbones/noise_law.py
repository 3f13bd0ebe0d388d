"""Gaussian noise of energies and forces whose laws are known in closed form.

Jørgensen, Busk, Winther, Schmidt, "Coherent energy and force uncertainty in deep learning force fields",
arXiv 2312.04174: the observed energy is E(X) = μ(X) + s(X) z(X), z a Gaussian process of unit variance over
configurations with covariance exp(-‖X - X'‖²/2ℓ²), and the observed forces are minus its gradient. So

    Var E = s²,   Cov(E, F) = -s∇s,   Cov F = ∇s∇sᵀ + (s²/ℓ²)I

Nuggets add white noise to E and to each component of F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array


@dataclass(frozen=True)
class Nuggets:
    """Variances of white noise of the energy (eV²) and of each force component (eV²/Å²)."""

    energy: float = 0.0
    forces: float = 0.0


@dataclass(frozen=True)
class CorrelatedNoise:
    """One process for the structure as a whole: a rigid translation changes its energy.

    scale: s, eV. slopes: ∇s (N, 3), eV/Å. length: ℓ, Å.
    """

    scale: float
    slopes: Array
    length: float
    nuggets: Nuggets = Nuggets()

    def variances(self) -> Array:
        """(1 + 3N,); see uqbench.api.Noise."""
        white = (self.scale / self.length) ** 2 + self.nuggets.forces
        return np.concatenate([[self.scale**2 + self.nuggets.energy], self.slopes.ravel() ** 2 + white])

    def covariance(self) -> Array:
        """(1 + 3N, 1 + 3N); see uqbench.api.Noise."""
        slopes = self.slopes.ravel()
        return _assembled(
            self.scale**2,
            -self.scale * slopes,
            np.outer(slopes, slopes) + (self.scale / self.length) ** 2 * np.eye(len(slopes)),
            self.nuggets,
        )


@dataclass(frozen=True)
class SiteNoise:
    """Independent processes, one a site i, of the displacements within its neighbourhood; an extension of ours.

    E = μ + Σ_i s_i z_i(B_i X), where B_i takes the positions of the m_i atoms within the cutoff of site i (itself
    and images included) to their m_i - 1 orthonormal differences. So

        Var E = Σ s_i²,   Cov(E, F) = -Σ s_i∇s_i,   Cov F = Σ_i [∇s_i∇s_iᵀ + (s_i²/ℓ²) B_iᵀB_i]

    with B_iᵀB_i = diag(c_i) - c_i c_iᵀ/m_i for each of x, y, z, c_ij being how often atom j is in the neighbourhood.
    It leaves rigid translations alone, and is the global law but for them where all atoms are neighbours of all.

    scales: s_i (N,), eV. slopes: ∂s_i/∂r_j (N, N, 3), eV/Å. counts: c_ij (N, N). length: ℓ, Å.
    """

    scales: Array
    slopes: Array
    counts: NDArray[np.int64]
    length: float
    nuggets: Nuggets = Nuggets()

    def variances(self) -> Array:
        """(1 + 3N,); see uqbench.api.Noise."""
        white = (self.scales / self.length) ** 2 @ (
            self.counts - self.counts**2 / self.counts.sum(axis=1, keepdims=True)
        )
        forces = np.sum(self.slopes**2, axis=0) + white[:, None] + self.nuggets.forces
        return np.concatenate([[np.sum(self.scales**2) + self.nuggets.energy], forces.ravel()])

    def covariance(self) -> Array:
        """(1 + 3N, 1 + 3N); see uqbench.api.Noise."""
        slopes = self.slopes.reshape(len(self.scales), -1)
        weights = (self.scales / self.length) ** 2
        shares = weights / self.counts.sum(axis=1)
        among = np.diag(weights @ self.counts) - (self.counts.T * shares) @ self.counts
        forces = slopes.T @ slopes + np.kron(among, np.eye(3))
        return _assembled(float(np.sum(self.scales**2)), -self.scales @ slopes, forces, self.nuggets)


@dataclass(frozen=True)
class WhiteNoise:
    """Independent noise of the energy and of the forces on each atom.

    energy: variance, eV². forces: (N,) variances of the components of each atom, eV²/Å².
    """

    energy: float
    forces: Array

    def variances(self) -> Array:
        """(1 + 3N,); see uqbench.api.Noise."""
        return np.concatenate([[self.energy], np.repeat(self.forces, 3)])

    def covariance(self) -> Array:
        """(1 + 3N, 1 + 3N); see uqbench.api.Noise."""
        return np.diag(self.variances())


def neighbourhoods(edges: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """(N, N) how often atom j is among site i and its neighbours, from pairs i, j (2, m) in both directions."""
    counts = np.eye(n_atoms, dtype=np.int64)
    np.add.at(counts, (edges[0], edges[1]), 1)
    return counts


def _assembled(energy: float, crossed: Array, forces: Array, nuggets: Nuggets) -> Array:
    full = np.empty((1 + len(crossed), 1 + len(crossed)))
    full[0, 0] = energy + nuggets.energy
    full[0, 1:] = full[1:, 0] = crossed
    full[1:, 1:] = forces + nuggets.forces * np.eye(len(crossed))
    return full
