"""Surface energies of slabs, relaxed, at the lattice constant of the bulk."""

from __future__ import annotations

import numpy as np

from tools.dft.cells import slab
from tools.dft.references.equation_of_state import Ground
from tools.dft.references.relaxed import relaxed_energies
from tools.dft.references.study import (
    Effects,
    Study,
    reference,
    said,
    significant,
)
from tools.dft.units import GPA
from uqbench.data.card import ReferenceProperty


def surface_energies(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties surface_energy_FACET."""
    more = study.material.references.equation_of_state.denser
    properties = []
    for asked in study.material.references.surfaces:
        atoms = slab(study.material.ground, study.material.element, ground.lattice.a, asked)
        mesh = study.mesh(atoms)
        variants = study.variants(mesh, more)
        relaxed = relaxed_energies(study, f"slab{asked.facet}_relaxed", atoms, variants, asked.force)
        area = 2.0 * float(np.linalg.norm(np.cross(*atoms.cell.array[:2])))
        # eV/Å² to J/m²: GPa Å is 0.1 J/m².
        unit = 0.1 * GPA / area
        values = {
            tag: (energy - len(atoms) * ground.energies[tag]) * unit
            for tag, energy in relaxed.energies.items()
        }
        changed = Effects.of(variants, values)
        unrelaxed = (relaxed.record.path[0].energy - len(atoms) * ground.energy) * unit
        properties.append(
            reference(
                study,
                f"surface_energy_{asked.facet}",
                values[""],
                "J/m²",
                changed.error(),
                f"{asked.layers}-layer slab, {asked.vacuum:g} Å of vacuum, relaxed ({relaxed.left}), bulk energy from "
                f"the equation of state; mesh {said(mesh)}; error: what denser meshes of both and a higher cutoff "
                "change",
                ground.lattice,
                (relaxed.record.group,),
                {
                    "layers": asked.layers,
                    "surface_cell": list(asked.size),
                    "vacuum": asked.vacuum,
                    "a": ground.lattice.a,
                    "relaxed": "positions",
                    "unrelaxed": significant(unrelaxed),
                    "effect_of_settings_J_per_m2": changed.for_protocol(),
                },
            )
        )
    return properties
