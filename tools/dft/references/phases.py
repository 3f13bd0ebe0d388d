"""Energies of other phases above the ground state, each at its own volume (and c/a)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.dft.cells import crystal
from tools.dft.fits import minimum_of_quadratic
from tools.dft.material import Lattice, Phase
from tools.dft.references.equation_of_state import Ground, fit_of, volumes_of
from tools.dft.references.study import (
    Effects,
    Study,
    reference,
    said,
    significant,
)
from uqbench.data.card import ReferenceProperty

if TYPE_CHECKING:
    from ase import Atoms

DENSER = 4
"""Points more along each axis, for the error."""
ERROR = "error: what denser meshes and a higher cutoff change for both"
VOLUMES = (0.97, 1.0, 1.03)
"""Of a hexagonal phase, in units of the starting one."""


def phase_energies(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties energy_PHASE_minus_GROUND."""
    return [
        _hexagonal(study, ground, phase) if phase.ratios else _cubic(study, ground, phase)
        for phase in study.material.references.phases
    ]


def _cubic(study: Study, ground: Ground, phase: Phase) -> ReferenceProperty:
    material = study.material
    start = material.phases[phase.structure]
    cell = crystal(phase.structure, material.element, start, "primitive")
    mesh = study.mesh(cell, phase.spacing)
    scales = material.references.equation_of_state.scales[1:-1]
    group = f"eos_{phase.structure}"
    variants = study.variants(mesh, DENSER)
    fits = {v.tag: fit_of(volumes_of(study, group, cell, v, scales)) for v in variants}
    fit = fits[""]
    lattice = Lattice(a=start.a * (fit.volume * len(cell) / cell.get_volume()) ** (1 / 3))
    changed = Effects.of(variants, {tag: one.energy - ground.energies[tag] for tag, one in fits.items()})
    return reference(
        study,
        f"energy_{phase.structure}_minus_{material.ground}",
        fit.energy - ground.energy,
        "eV/atom",
        changed.error(),
        f"minima of the equations of state; mesh {said(mesh)}; {ERROR}",
        lattice,
        (group, f"eos_{material.ground}"),
        {
            "cell": f"{len(cell)} atoms",
            "fit": "equations of state, minima",
            "effect_of_settings_eV_per_atom": changed.for_protocol(),
        },
        phase.structure,
    )


def _hexagonal(study: Study, ground: Ground, phase: Phase) -> ReferenceProperty:
    """Quadratic in volume and c/a, computed once more where it is least."""
    material = study.material
    start = material.phases[phase.structure]
    volume = crystal(phase.structure, material.element, start).get_volume()

    def cell(scale: float, ratio: float) -> tuple[Atoms, Lattice]:
        a = (scale * volume / (0.75**0.5 * ratio)) ** (1 / 3)
        lattice = Lattice(a=a, c=a * ratio)
        return crystal(phase.structure, material.element, lattice), lattice

    points = [(scale, ratio) for scale in VOLUMES for ratio in phase.ratios]
    mesh = study.mesh(crystal(phase.structure, material.element, start))
    group = f"grid_{phase.structure}"
    records = study.laboratory.good(
        [study.calculation(f"{group}_{v:.2f}_{r:.2f}", group, cell(v, r)[0], mesh) for v, r in points]
    )
    where, _ = minimum_of_quadratic(np.array(points), np.array([record.per_atom for record in records]))
    atoms, lattice = cell(*map(float, where.round(5)))
    group = f"{phase.structure}_min"
    variants = study.variants(mesh, DENSER)
    here = study.calculation(group, group, atoms, mesh)
    found = study.laboratory.good([study.varied(here, variant) for variant in variants])
    differences = {
        variant.tag: record.per_atom - ground.energies[variant.tag]
        for variant, record in zip(variants, found, strict=True)
    }
    changed = Effects.of(variants, differences)
    return reference(
        study,
        f"energy_{phase.structure}_minus_{material.ground}",
        differences[""],
        "eV/atom",
        changed.error(),
        f"quadratic fit in volume and c/a ({len(points)} points), computed again at the minimum; mesh {said(mesh)}; "
        f"{ERROR}",
        lattice,
        (group, f"eos_{material.ground}"),
        {
            "cell": f"{len(atoms)} atoms",
            "c_over_a": significant(float(where[1])),
            "effect_of_settings_eV_per_atom": changed.for_protocol(),
        },
        phase.structure,
    )
