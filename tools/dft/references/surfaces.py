"""Surface energies of slabs, relaxed, at the lattice constant of the bulk."""

from __future__ import annotations

import numpy as np

from tools.dft.cells import slab
from tools.dft.references.equation_of_state import Ground
from tools.dft.references.study import Study, reference, said, significant
from tools.dft.units import GPA
from uqbench.data.card import ReferenceProperty

BULK_ERROR = 2e-3
"""eV/atom; by which energies of slab and bulk, on their different meshes, may be off."""


def surface_energies(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties surface_energy_FACET."""
    properties = []
    for asked in study.material.references.surfaces:
        atoms = slab(study.material.ground, study.material.element, ground.lattice.a, asked)
        mesh = study.mesh(atoms)
        group = f"slab{asked.facet}_relaxed"
        record = study.laboratory.one(study.calculation(group, group, atoms, mesh, asked.force))
        area = 2.0 * float(np.linalg.norm(np.cross(*atoms.cell.array[:2])))
        # eV/Å² to J/m²: GPa Å is 0.1 J/m².
        unit = 0.1 * GPA / area
        value = (record.energy - len(atoms) * ground.energy) * unit
        unrelaxed = (record.path[0].energy - len(atoms) * ground.energy) * unit
        properties.append(
            reference(
                study,
                f"surface_energy_{asked.facet}",
                value,
                "J/m²",
                len(atoms) * BULK_ERROR * unit,
                f"{asked.layers}-layer slab, {asked.vacuum:g} Å of vacuum, relaxed, bulk energy from the equation of "
                f"state; mesh {said(mesh)}; error: {1e3 * BULK_ERROR:g} meV/atom between slab and bulk",
                ground.lattice,
                (group,),
                {
                    "layers": asked.layers,
                    "surface_cell": list(asked.size),
                    "vacuum": asked.vacuum,
                    "a": ground.lattice.a,
                    "relaxed": "positions",
                    "unrelaxed": significant(unrelaxed),
                },
            )
        )
    return properties
