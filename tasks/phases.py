"""Energies of other phases above the ground state, eV/atom, each at its own relaxed cell.

Properties energy_PHASE_minus_GROUND of the card, which say the phase's crystal; the symmetry of a phase is kept, so
that one which is unstable against shear still has an energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uqbench.api import Lattice, Material, NotApplicable, PropertyTask, Quantity
from uqbench.properties.energies import EnergySum, Term

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Phases(PropertyTask):
    """Differences between relaxed crystals."""

    def quantities(self, material: Material) -> Sequence[Quantity]:
        """One difference a reference. Raises NotApplicable where the card has none."""
        ground = _cell(material.symbol, material.lattice)
        found = []
        for name, reference in material.references.items():
            if not (name.startswith("energy_") and name.endswith(f"_minus_{material.lattice.structure}")):
                continue
            if reference.crystal is None:
                raise NotApplicable(
                    f"{material.name}: {name} names no crystal of its phase; add it to the card."
                )
            phase = _cell(material.symbol, reference.crystal)
            terms = (Term(1.0 / len(phase), phase, "cell"), Term(-1.0 / len(ground), ground, "cell"))
            found.append(EnergySum(name, "eV/atom", terms))
        if not found:
            raise NotApplicable(f"{material.name} has no energy of another phase among its references.")
        return found


def _cell(symbol: str, lattice: Lattice) -> Atoms:
    from ase.build import bulk

    return bulk(symbol, lattice.structure, a=lattice.a, c=lattice.c)
