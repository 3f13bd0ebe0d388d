"""Vacancy formation energy, relaxed and unrelaxed, in the supercell of the card's protocol.

Cell fixed at the potential's own lattice constant, as the reference is at its own; and, as properties of their own,
at the reference's. Where a card has no reference, prediction and bounds are given and not scored. If it has one, the
barrier of the vacancy's migration too, at the reference's lattice constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.api import Material, NotApplicable, PropertyTask, Quantity
from uqbench.properties.crystal import cubic_crystal
from uqbench.properties.migration import MIGRATION, migration_barrier
from uqbench.properties.vacancy_quantity import RELAXED, VacancyFormation

SUPERCELLS = {"fcc": (2, 2, 2), "bcc": (3, 3, 3), "diamond": (2, 2, 2), "sc": (3, 3, 3)}
"""Conventional cells, where the card says nothing."""


@dataclass(frozen=True)
class Vacancy(PropertyTask):
    """The vacancy of a crystal of one element."""

    def quantities(self, material: Material) -> Sequence[Quantity]:
        """One supercell. Raises NotApplicable for a crystal that is not cubic."""
        structure = material.lattice.structure
        if structure not in SUPERCELLS:
            raise NotApplicable(f"{material.name} is {structure}; vacancies are computed in cubic crystals.")
        reference = material.references.get(RELAXED)
        supercell = SUPERCELLS[structure] if reference is None else reference.protocol.get("supercell")
        if supercell is None or len(supercell) != 3:
            raise NotApplicable(
                f"{material.name}: the protocol of {RELAXED} has the supercell {supercell}; three numbers are needed, "
                "for reference and prediction to be the same computation. Correct the card."
            )
        along_x, along_y, along_z = (int(n) for n in supercell)
        crystal = cubic_crystal(material, (along_x, along_y, along_z))
        formation = VacancyFormation(crystal)
        return [formation, migration_barrier(crystal)] if MIGRATION in material.references else [formation]
