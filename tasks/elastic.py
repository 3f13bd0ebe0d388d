"""Lattice constant, bulk modulus and elastic constants at zero stress, with internal relaxation.

At the potential's own lattice constant. In diamond the constant with clamped atoms, C44_unrelaxed, is a property of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.api import Material, NotApplicable, PropertyTask, Quantity
from uqbench.properties.crystal import NEAREST, cubic_crystal
from uqbench.properties.elastic_quantity import CubicConstants


@dataclass(frozen=True)
class Elastic(PropertyTask):
    """All independent constants of a cubic crystal of one element."""

    def quantities(self, material: Material) -> Sequence[Quantity]:
        """One set of constants. Raises NotApplicable for a crystal that is not cubic."""
        if material.lattice.structure not in NEAREST:
            raise NotApplicable(
                f"{material.name} is {material.lattice.structure}; elastic constants are computed for cubic crystals."
            )
        return [CubicConstants(cubic_crystal(material))]
