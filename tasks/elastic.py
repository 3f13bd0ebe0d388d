"""Lattice constant, bulk modulus and elastic constants at zero stress, with internal relaxation.

At the potential's own lattice constant. In diamond the constant with clamped atoms, C44_unrelaxed, is a property of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.api import Material, NotApplicable, PropertyTask, Quantity
from uqbench.properties.crystal import NEAREST, cubic_crystal
from uqbench.properties.elastic_quantity import CubicConstants, HexagonalConstants
from uqbench.properties.hexagonal import Hexagonal

KNOWN = f"{', '.join(NEAREST)}, and hcp with a and c in its card"


@dataclass(frozen=True)
class Elastic(PropertyTask):
    """All independent constants of a cubic or hexagonal close-packed crystal of one element."""

    def quantities(self, material: Material) -> Sequence[Quantity]:
        """One set of constants. Raises NotApplicable for another crystal."""
        lattice = material.lattice
        if lattice.structure in NEAREST:
            return [CubicConstants(cubic_crystal(material))]
        if lattice.structure == "hcp" and lattice.c is not None:
            return [HexagonalConstants(Hexagonal(material.symbol, lattice.a, lattice.c))]
        raise NotApplicable(
            f"{material.name} is {lattice.structure}; elastic constants are those of {KNOWN}."
        )
