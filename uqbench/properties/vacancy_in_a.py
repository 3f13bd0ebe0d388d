"""Vacancy formation energies at each sample's own lattice constant, from tables in the lattice constant.

At another lattice constant the vacancy cell is not at rest, so the tables of one expansion are not enough: those of
the cell at fixed fractional coordinates are interpolated in a, and the Newton step is taken at the sample's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uqbench.api import Array, LinearBackbone
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.implicit import Expansion, newton_steps
from uqbench.properties.vacancy import perfect_row
from uqbench.properties.vacancy_tables import VacancyTables

NODES = 9


@dataclass(frozen=True)
class VacancyInA:
    """Chebyshev series in a of the tables of Expansion, in the space of M displacements that keep the symmetry.

    low, high: range of lattice constants, Å. energy: (NODES, P), less (N-1)/N of the perfect cell's, eV.
    forces: (NODES, M, P), eV/Å. hessians: (NODES, P, M, M), eV/Å².
    """

    low: float
    high: float
    energy: Array
    forces: Array
    hessians: Array

    @classmethod
    def about(
        cls,
        backbone: LinearBackbone,
        elements: tuple[str, ...],
        crystal: Crystal,
        mean: Array,
        low: float,
        high: float,
    ) -> VacancyInA:
        """Tables for low <= a <= high; crystal.a: the lattice constant of the mean coefficients (P,)."""
        if not 0 < low < high:
            raise UqbenchError(
                f"the range of lattice constants is [{low}, {high}] Å; 0 < low < high is needed."
            )
        at_mean = VacancyTables.about(backbone, elements, crystal, mean, symmetric=True).expansion
        x = np.polynomial.chebyshev.chebpts1(NODES)
        energies: list[Array] = []
        forces: list[Array] = []
        hessians: list[Array] = []
        for a in 0.5 * (low + high + x * (high - low)):
            atoms = at_mean.atoms.copy()
            atoms.set_cell(atoms.cell.array * (a / crystal.a), scale_atoms=True)
            found = Expansion.about(backbone, elements, atoms, at_mean.basis)
            energies.append(found.energy_row - perfect_row(backbone, elements, crystal.at(float(a))))
            forces.append(found.force_rows)
            hessians.append(found.hessian_rows)
        to_series = np.asarray(
            np.linalg.inv(np.polynomial.chebyshev.chebvander(x, NODES - 1)), dtype=np.float64
        )
        return cls(
            low, high, *(np.tensordot(to_series, np.array(t), 1) for t in (energies, forces, hessians))
        )

    def energies(self, samples: Array, a: Array) -> Array:
        """(n,) relaxed formation energies, eV, of coefficients (n, P) at lattice constants (n,), Å, to second order.

        nan where H(θ) is not positive definite, or where a is nan. Raises UqbenchError for a outside the range.
        """
        outside = (a < self.low) | (a > self.high)
        if outside.any():
            raise UqbenchError(
                f"lattice constant {a[outside][0]:.4f} Å is outside the table's [{self.low:.4f}, {self.high:.4f}] Å; "
                "make the table wider."
            )
        x = (2 * a - self.low - self.high) / (self.high - self.low)
        weights = np.polynomial.chebyshev.chebvander(np.nan_to_num(x), NODES - 1)
        energy = np.einsum("nk,nk->n", weights, samples @ self.energy.T)
        force = np.einsum("nk,nkm->nm", weights, np.tensordot(samples, self.forces, (1, 2)))
        hessian = np.einsum("nk,nkab->nab", weights, np.tensordot(samples, self.hessians, (1, 1)))
        steps, _ = newton_steps(hessian, force)
        return np.where(np.isnan(a), np.nan, energy - 0.5 * np.vecdot(force, steps))
