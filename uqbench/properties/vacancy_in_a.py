"""Vacancy formation energies at each sample's own lattice constant, from tables in the lattice constant.

At another lattice constant the vacancy cell is not at rest, so the tables of one expansion are not enough: those of
the cell at fixed fractional coordinates are interpolated in a, and the Newton step is taken at the sample's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, LinearBackbone
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.gate import LARGEST_DECREMENT
from uqbench.properties.implicit import LONGEST_STEP, Expansion, newton_steps
from uqbench.properties.rows_in_a import RowsInA, series
from uqbench.properties.vacancy import perfect_rows
from uqbench.properties.vacancy_tables import VacancyTables

if TYPE_CHECKING:
    from ase import Atoms

NODES = 5
CURVED, FLAT = [0, 2, 4], [1, 3]
"""The nodes with a Hessian, for its error counts in the energy only as the step squared, and those without."""
EVALUATIONS = 3
"""At most, of rows for a sample; a relaxation with the potential takes five to ten times that long."""
SHORT_STEP = 0.01
"""Å; the error to second order, which grows as the step's cube, is then below 0.2 meV (of spreads of 80 to 270 meV)."""


@dataclass(frozen=True)
class VacancyInA:
    """Chebyshev series in a of the tables of Expansion, in the space of M displacements that keep the symmetry.

    low, high: range of lattice constants, Å. at_mean: the relaxed cell of the mean and the displacements' basis.
    energy: (NODES, P), less (N-1)/N of the perfect cell's, eV. forces: (NODES, M, P), eV/Å. hessians: (3, P, M, M),
    eV/Å². perfect: what was taken away, in finer steps.
    """

    low: float
    high: float
    crystal: Crystal
    at_mean: Expansion
    energy: Array
    forces: Array
    hessians: Array
    perfect: RowsInA

    @classmethod
    def about(
        cls,
        backbone: LinearBackbone,
        elements: tuple[str, ...],
        crystal: Crystal,
        mean: Array,
        reach: float,
    ) -> VacancyInA:
        """Tables for a within reach, Å, of crystal.a: the lattice constant of the mean coefficients (P,)."""
        if not 0 < reach < crystal.a:
            raise UqbenchError(
                f"the tables would reach {reach} Å from a = {crystal.a} Å; more than 0 and less than a is needed."
            )
        at_mean = VacancyTables.about(backbone, elements, crystal, mean, symmetric=True).expansion
        x = np.polynomial.chebyshev.chebpts1(NODES)
        crystals = [crystal.at(float(a)) for a in crystal.a + reach * x]
        cells = [_at(at_mean.atoms, there.a / crystal.a) for there in crystals]
        # The middle node is the mean's own lattice constant.
        first, last = (Expansion.about(backbone, elements, cells[k], at_mean.basis) for k in (0, -1))
        curved = (first, at_mean, last)
        energies = np.empty((NODES, *at_mean.energy_row.shape))
        forces = np.empty((NODES, *at_mean.force_rows.shape))
        energies[CURVED], forces[CURVED] = zip(*((e.energy_row, e.force_rows) for e in curved), strict=True)
        n, n_shifts = len(at_mean.atoms), len(at_mean.basis)
        for k, rows in zip(FLAT, backbone.rows([cells[k] for k in FLAT], elements), strict=True):
            energies[k], forces[k] = n * rows[0], at_mean.basis.T @ rows[1 : 1 + n_shifts]
        low, high = crystal.a - reach, crystal.a + reach
        return cls(
            low,
            high,
            crystal,
            at_mean,
            series(x, energies - perfect_rows(backbone, elements, crystals)),
            series(x, forces),
            series(x[CURVED], np.array([e.hessian_rows for e in curved])),
            RowsInA.about(lambda there: perfect_rows(backbone, elements, there), crystal, low, high),
        )

    def newton(self, samples: Array, a: Array) -> StepsInA:
        """No evaluation a sample: the Newton steps of coefficients (n, P) at lattice constants (n,), Å.

        Raises UqbenchError for a outside the range.
        """
        outside = (a < self.low) | (a > self.high)
        if outside.any():
            raise UqbenchError(
                f"lattice constant {a[outside][0]:.4f} Å is outside the table's [{self.low:.4f}, {self.high:.4f}] Å; "
                "make the table wider."
            )
        x = (2 * a - self.low - self.high) / (self.high - self.low)
        weights = np.polynomial.chebyshev.chebvander(np.nan_to_num(x), NODES - 1)
        energy = np.vecdot(weights, samples @ self.energy.T)
        force = np.einsum("nk,nkm->nm", weights, np.tensordot(samples, self.forces, (1, 2)))
        curvature = np.tensordot(samples, self.hessians, (1, 1))
        hessian = np.einsum("nk,nkab->nab", weights[:, : len(self.hessians)], curvature)
        steps, _ = newton_steps(hessian, force)
        steps[np.isnan(a)] = np.nan
        return StepsInA(energy - 0.5 * np.vecdot(force, steps), steps, hessian)

    def corrected(self, samples: Array, a: Array) -> tuple[Array, Array]:
        """Formation energies less the Newton decrement, and the decrement, (n,) each, eV.

        No evaluation for a step below SHORT_STEP: its energy is that to second order, and the decrement is zero. One
        for others, and up to EVALUATIONS with further steps while the decrement is too large for the gate. Both are
        nan where H(θ) is not positive definite, a step leads LONGEST_STEP away or more, or a is nan.
        """
        found = self.newton(samples, a)
        expansion, (energy, decrement) = self.at_mean, np.full((2, len(samples)), np.nan)
        n, basis, steps = len(expansion.atoms), expansion.basis, found.steps.copy()
        perfect = self.perfect.values(samples, a)
        length = np.abs(steps @ basis.T).max(axis=1, initial=0.0)
        short = length < SHORT_STEP
        energy[short], decrement[short] = found.energy[short], 0.0
        going = np.flatnonzero(~short & (length < LONGEST_STEP))
        for _ in range(EVALUATIONS):
            cells = [self._cell(float(a[i]), basis @ steps[i]) for i in going]
            for i, rows in zip(going, expansion.backbone.rows(cells, expansion.elements), strict=True):
                values = rows[: 1 + 3 * n] @ samples[i]
                force = basis.T @ values[1:]
                further = newton_steps(found.hessians[i : i + 1], force[None])[0][0]
                decrement[i] = 0.5 * force @ further
                energy[i] = n * values[0] - perfect[i] - decrement[i]
                steps[i] += further
            length = np.abs(steps[going] @ basis.T).max(axis=1, initial=0.0)
            lost = going[length >= LONGEST_STEP]
            energy[lost], decrement[lost] = np.nan, np.nan
            going = going[(length < LONGEST_STEP) & (decrement[going] >= LARGEST_DECREMENT)]
        return energy, decrement

    def _cell(self, a: float, shift: Array) -> Atoms:
        """The vacancy cell at a, moved."""
        atoms = _at(self.at_mean.atoms, a / self.crystal.a)
        atoms.positions += shift.reshape(-1, 3)
        return atoms


def _at(atoms: Atoms, scale: float) -> Atoms:
    """The cell at another lattice constant, fractional coordinates kept."""
    there = atoms.copy()
    there.set_cell(atoms.cell.array * scale, scale_atoms=True)
    return there


@dataclass(frozen=True)
class StepsInA:
    """energy: (n,), formation energies to second order, eV. steps: (n, M), Å. hessians: (n, M, M), eV/Å².

    nan where H(θ) is not positive definite or the lattice constant is nan.
    """

    energy: Array
    steps: Array
    hessians: Array
