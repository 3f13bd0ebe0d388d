"""Vacancy formation energies as a quantity: at the potential's own lattice constant, and at the reference's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, LinearBackbone, Propagator, Quantity, Resampled
from uqbench.properties.conjugate import LARGEST_TABLE, table_bytes
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.gate import LARGEST_DECREMENT
from uqbench.properties.lattice import cubic_constants
from uqbench.properties.lattice_table import LatticeTable
from uqbench.properties.resampling import resample
from uqbench.properties.rows_in_a import RowsInA
from uqbench.properties.vacancy import unrelaxed_energy, unrelaxed_rows, vacancy_energy
from uqbench.properties.vacancy_in_a import SHORT_STEP, VacancyInA
from uqbench.properties.vacancy_tables import VacancyTables

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

RELAXED = "vacancy_formation_energy"
UNRELAXED = "vacancy_formation_energy_unrelaxed"
AT_REFERENCE = "_at_reference_a"
SADDLE = (
    "at the sites of the mean the vacancy cell is not at a minimum; it was relaxed with its symmetry kept."
)
MARGIN = 2e-4
"""Share of a by which tables in a reach beyond the samples."""


@dataclass(frozen=True)
class VacancyFormation(Quantity):
    """crystal: with the reference's lattice constant and the supercell of its protocol.

    The names without a suffix are at the potential's own lattice constant, as the reference is at its own.
    """

    crystal: Crystal

    @property
    def units(self) -> Mapping[str, str]:
        """eV."""
        return dict.fromkeys((RELAXED, UNRELAXED, RELAXED + AT_REFERENCE, UNRELAXED + AT_REFERENCE), "eV")

    @property
    def references(self) -> Mapping[str, str]:
        """The reference's lattice constant is its own: both are compared with the one value."""
        return {RELAXED + AT_REFERENCE: RELAXED, UNRELAXED + AT_REFERENCE: UNRELAXED}

    def measure(self, potential: Calculator) -> Mapping[str, float]:
        """Relaxed from ideal sites. Raises UnstableError and NotConvergedError."""
        own = vacancy_energy(self._own(potential), potential)
        given = vacancy_energy(self.crystal, potential)
        values = (own.relaxed, own.unrelaxed, given.relaxed, given.unrelaxed)
        return dict(zip(self.units, values, strict=True))

    def measure_one(self, name: str, potential: Calculator) -> float:
        """At one lattice constant, and without relaxing what is not to be relaxed."""
        crystal = self.crystal if name.endswith(AT_REFERENCE) else self._own(potential)
        if name.removesuffix(AT_REFERENCE) == UNRELAXED:
            return unrelaxed_energy(crystal, potential)
        return vacancy_energy(crystal, potential).relaxed

    def _own(self, potential: Calculator) -> Crystal:
        """At the potential's own lattice constant. Raises UnstableError for a crystal that no vacancy can be in."""
        return self.crystal.at(cubic_constants(self.crystal, potential)["lattice_constant"])

    def propagator(
        self, backbone: LinearBackbone, elements: tuple[str, ...], mean: Array, samples: Array
    ) -> Propagator:
        """One evaluation a sample where the gate allows, else relaxations.

        Another at the reference's lattice constant; none for short steps (see VacancyInA). All keep the vacancy's
        symmetry, as the protocol of the reference does. A sample whose Hessian at the mean's sites, at the reference's
        lattice constant, is not positive definite is relaxed for real, and its reason is SADDLE. In cells whose full
        table would be larger than LARGEST_TABLE the Hessian is that of displacements which keep the symmetry.
        """
        lattice = LatticeTable.about(backbone, elements, self.crystal, backbone.kink())
        of_mean = lattice.constants(mean[None])
        if not of_mean.ok[0]:
            raise UnstableError(of_mean.reasons[0])
        centre = self.crystal.at(float(of_mean.of("lattice_constant")[0]))
        tables = VacancyTables.about(
            backbone, elements, self.crystal, mean, symmetric=self._is_large(len(mean))
        )
        a = lattice.constants(samples).of("lattice_constant")
        reach = MARGIN * centre.a + np.nanmax(np.abs(a - centre.a), initial=0.0)
        low, high = centre.a - reach, centre.a + reach
        return _Propagation(
            self,
            backbone,
            elements,
            tables,
            lattice,
            VacancyInA.about(backbone, elements, centre, mean, reach),
            RowsInA.about(lambda there: unrelaxed_rows(backbone, elements, there), self.crystal, low, high),
            unrelaxed_rows(backbone, elements, [self.crystal])[0],
        )

    def _is_large(self, n_features: int) -> bool:
        """Whether the full Hessian table would be."""
        return table_bytes(n_features, 3 * self.crystal.n_sites - 6) > LARGEST_TABLE

    def rows(self, backbone: LinearBackbone, elements: tuple[str, ...]) -> Mapping[str, Array]:
        """Without relaxation at a given lattice constant the energy is linear."""
        return {UNRELAXED + AT_REFERENCE: unrelaxed_rows(backbone, elements, [self.crystal])[0]}

    def remarks(self, backbone: LinearBackbone) -> tuple[str, ...]:
        """That the vacancy sees its images, and what is not looked at in a large cell."""
        width, reach = min(self.crystal.supercell) * self.crystal.a, backbone.reach()
        found = []
        if reach is not None and width < 2.0 * reach:
            found.append(
                f"the supercell is {width:.2f} Å wide, less than twice the {reach:g} Å that an atom sees: it sees the "
                "vacancy and its image at once (in the reference too, if its protocol is this one)."
            )
        if self._is_large(backbone.n_features((self.crystal.symbol,))):
            found.append(
                f"{self.crystal.n_sites - 1} atoms: the full Hessian is too large, and samples that are unstable "
                "against displacements which break the vacancy's symmetry are not seen."
            )
        return tuple(found)

    def noise_variance(self, variance: Callable[[Atoms], float]) -> Mapping[str, float]:
        """Var E(N-1) + ((N-1)/N)² Var E(N), at ideal sites of the reference's lattice constant for all four."""
        defect, perfect = self.crystal.vacancy(), self.crystal.perfect()
        share = len(defect) / len(perfect)
        return dict.fromkeys(self.units, variance(defect) + share**2 * variance(perfect))


@dataclass(frozen=True)
class _Propagation:
    """What coefficients are carried with: tables at the reference's lattice constant, and in their own."""

    quantity: VacancyFormation
    backbone: LinearBackbone
    elements: tuple[str, ...]
    tables: VacancyTables
    lattice: LatticeTable
    relaxed: VacancyInA
    unrelaxed: RowsInA
    unrelaxed_at_reference: Array

    def __call__(self, samples: Array) -> Resampled:
        crystal = self.quantity.crystal
        lattice = self.lattice.constants(samples)
        a = lattice.values[:, 0]
        own, decrement = self.relaxed.corrected(samples, a)
        given = self.tables.expansion.corrected(samples, SHORT_STEP)
        # A decrement is nan, and the comparison false, where there is no step or a long one.
        accepted = (decrement < LARGEST_DECREMENT) & (given.decrement < LARGEST_DECREMENT)
        values = np.column_stack(
            [
                own,
                self.unrelaxed.values(samples, a),
                given.energy - samples @ self.tables.perfect,
                samples @ self.unrelaxed_at_reference,
            ]
        )
        status, reasons = list(lattice.status), list(lattice.reasons)
        for i in np.flatnonzero(~accepted & lattice.ok):
            here = self.tables.gated(samples[i : i + 1]).result
            there = crystal.at(float(a[i]))
            real = resample(
                (RELAXED,),
                lambda potential, there=there: {RELAXED: vacancy_energy(there, potential).relaxed},
                [self.backbone.potential(samples[i], self.elements)] if here.ok[0] else [],
            )
            last = real if len(real.status) else here
            status[i] = last.status[0]
            reasons[i] = last.reasons[0] or ("" if given.stable[i] else SADDLE)
            values[i, [0, 2]] = last.values[0, 0], here.values[0, 0]
        values[np.array(status) != "ok"] = np.nan
        # What has no lattice constant is known from the table.
        return Resampled(
            tuple(self.quantity.units), values, tuple(status), tuple(reasons), accepted | ~lattice.ok
        )
