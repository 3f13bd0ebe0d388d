"""Surface energies of fcc crystals, J/m²: slabs of the card's protocol, positions relaxed.

At the reference's lattice constant, the bulk energy too; properties surface_energy_100, _110 and _111 of the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uqbench.api import Material, NotApplicable, PropertyTask, Quantity
from uqbench.properties.energies import EnergySum, Term

PREFIX = "surface_energy_"


@dataclass(frozen=True)
class Surfaces(PropertyTask):
    """Slabs with two equal surfaces."""

    def quantities(self, material: Material) -> Sequence[Quantity]:
        """One slab a reference. Raises NotApplicable where the card has none with layers, cell and vacuum."""
        found = [
            _surface(material, name.removeprefix(PREFIX))
            for name, reference in material.references.items()
            if name.startswith(PREFIX) and {"layers", "surface_cell", "vacuum"} <= set(reference.protocol)
        ]
        if material.lattice.structure != "fcc" or not found:
            raise NotApplicable(
                f"{material.name} has no surface energy of an fcc crystal with layers, surface_cell and vacuum in its "
                "protocol."
            )
        return found


def _surface(material: Material, facet: str) -> EnergySum:
    from ase import build
    from ase.units import J, m

    protocol = material.references[PREFIX + facet].protocol
    across, along = protocol["surface_cell"]
    make = getattr(build, f"fcc{facet}")
    size = (across, along, protocol["layers"])
    slab = make(material.symbol, size=size, a=material.lattice.a, vacuum=0.5 * protocol["vacuum"])
    slab.pbc = True
    bulk = build.bulk(material.symbol, "fcc", a=material.lattice.a)
    area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
    weight = 1.0 / (2.0 * area) / (J / m**2)
    terms = (Term(weight, slab, "positions"), Term(-weight * len(slab), bulk))
    return EnergySum(PREFIX + facet, "J/m²", terms)
