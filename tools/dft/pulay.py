"""The Pulay stress of a fixed set of plane waves.

pw.x's stress is the strain derivative of the energy at a fixed number n of waves; energies of different cells, and
labels, are at a fixed cutoff. With n ∝ V E_cut^(3/2), dE/dV at fixed cutoff is that at fixed n plus
(2/3)(1/V) dE/d ln E_cut: the stress lacks, and the pressure has too much of, the isotropic

    p = (2/3)(N/V) d(E/N)/d ln E_cut < 0.

What an atom's energy has still to fall is a matter of its core: the slope hardly depends on the structure, and one
number does for a material (Dacosta, Nielsen & Kunc, J. Phys. C 19, 3163 (1986); Francis & Payne, J. Phys.: Condens.
Matter 2, 4395 (1990)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class CutoffSlope:
    """d(E/N)/d ln E_cut: mean over structures and the largest deviation from it, eV per atom."""

    mean: float
    spread: float

    def pressure(self, volume: float) -> float:
        """p, negative, eV/Å³. volume: Å³ per atom."""
        return 2.0 / 3.0 * self.mean / volume

    def corrected(self, stress: Array, volume: float) -> Array:
        """The stress (3, 3) at fixed cutoff from that at a fixed set of waves, eV/Å³; p is added to the diagonal
        (tension positive), which is to subtract the Pulay stress -p."""
        return stress + self.pressure(volume) * np.eye(3)


def cutoff_slope(cutoffs: Array, energies: Array, at: float) -> CutoffSlope:
    """Slope at a cutoff, from a cubic in ln E_cut through energies at cutoffs about it.

    cutoffs: (n,) in any unit, n ≥ 5. energies: (n_structures, n) eV per atom. at: the cutoff that labels have.
    Raises UqbenchError if `at` is not inside, or for too few cutoffs.
    """
    if len(cutoffs) < 5 or not min(cutoffs) < at < max(cutoffs):
        raise UqbenchError(
            f"convergence.pulay has the cutoffs {list(cutoffs)}; five or more, on both sides of {at:g}, are needed."
        )
    along = np.log(np.asarray(cutoffs) / at)
    slopes = np.polynomial.polynomial.polyfit(along, np.atleast_2d(energies).T, 3)[1]
    mean = float(slopes.mean())
    return CutoffSlope(mean, float(np.abs(slopes - mean).max()))
