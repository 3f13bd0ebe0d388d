"""Vacancy formation energy, unrelaxed and relaxed at fixed cell, and the barrier of its migration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tools.dft.cells import crystal
from tools.dft.record import Record
from tools.dft.references.equation_of_state import Ground
from tools.dft.references.study import Study, reference, said, significant
from tools.dft.settings import denser
from uqbench.data.card import ReferenceProperty
from uqbench.errors import UqbenchError
from uqbench.properties.migration import halfway

if TYPE_CHECKING:
    from ase import Atoms

TIGHTER_CUTOFF, NARROWER = 1.25, 0.5
"""Factors on cutoff and smearing whose effect on the relaxed vacancy is told."""


def vacancy_energies(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties vacancy_formation_energy, _unrelaxed and, if asked for, vacancy_migration_energy."""
    material, asked = study.material, study.material.references.vacancy
    perfect = crystal(material.ground, material.element, ground.lattice).repeat(asked.supercell)
    vacant = perfect.copy()
    del vacant[0]
    sites, mesh = len(perfect), study.mesh(perfect)
    dense = denser(mesh, asked.denser)
    groups = {"bulk": f"bulk{sites}", "relaxed": f"vac{sites - 1}_relaxed"}
    bulk = study.calculation(groups["bulk"], groups["bulk"], perfect, mesh)
    relaxing = study.calculation(groups["relaxed"], groups["relaxed"], vacant, mesh, asked.force)
    bulk_record, relaxed = study.laboratory.good([bulk, relaxing])

    def formation(energy: float, perfect_energy: float) -> float:
        return energy - (sites - 1) / sites * perfect_energy

    value = formation(relaxed.energy, bulk_record.energy)
    unrelaxed = formation(_start_energy(relaxed), bulk_record.energy)
    # At the relaxed positions, which settings hardly move.
    here = replace(relaxing, atoms=relaxed.atoms(), relax=0.0)
    variants = {
        f"mesh {said(dense)}": {"mesh": dense},
        f"cutoff {TIGHTER_CUTOFF * study.settings.cutoff:g} Ry": {
            "cutoff": TIGHTER_CUTOFF * study.settings.cutoff
        },
        f"smearing {NARROWER * study.settings.width:g} Ry": {"width": NARROWER * study.settings.width},
    }
    changes: dict[str, float] = {}
    for number, (what, change) in enumerate(variants.items()):
        pair = [c.with_settings(f"{c.name}_variant{number}", **change) for c in (here, bulk)]
        vacant_there, bulk_there = study.laboratory.good([replace(c, group="vacancy_variant") for c in pair])
        changes[what] = significant(formation(vacant_there.energy, bulk_there.energy) - value, 3)
    error = abs(changes[f"mesh {said(dense)}"])
    protocol = {
        "supercell": list(asked.supercell),
        "cell": "conventional",
        "sites": sites,
        "a": ground.lattice.a,
        "fixed_cell": True,
        "reference": f"bulk in the same supercell ({groups['bulk']})",
    }
    places = f"{sites - 1} atoms in {sites} sites at a = {ground.lattice.a:.4f} Å, mesh {said(mesh)}"
    left = f"largest force component {1e3 * relaxed.largest_force:.1f} meV/Å"
    properties = [
        reference(
            study,
            "vacancy_formation_energy",
            value,
            "eV",
            error,
            f"{places}, positions relaxed at fixed cell ({left}); error: mesh",
            ground.lattice,
            (groups["relaxed"], groups["bulk"]),
            protocol | {"relaxed": f"positions, {left}", "effect_of_settings_eV": dict(changes)},
        ),
        reference(
            study,
            "vacancy_formation_energy_unrelaxed",
            unrelaxed,
            "eV",
            error,
            f"{places}, atoms on their sites; error: of the relaxed vacancy",
            ground.lattice,
            (f"{groups['relaxed']}_path", groups["bulk"]),
            protocol | {"structure": "first of the path (relaxation_start)"},
        ),
    ]
    if asked.migration:
        properties.append(_migration(study, ground, perfect, relaxed, protocol))
    return properties


def _migration(
    study: Study, ground: Ground, perfect: Atoms, relaxed: Record, protocol: dict
) -> ReferenceProperty:
    """A neighbour half way into the vacancy: symmetry keeps it there while the others relax."""
    asked = study.material.references.vacancy
    saddle = halfway(perfect)
    group = f"vac{len(saddle)}_saddle"
    mesh = study.mesh(perfect)
    record = study.laboratory.one(study.calculation(group, group, saddle, mesh, asked.force))
    dense = denser(mesh, asked.denser)
    here = study.calculation(f"{group}_dense", "vacancy_variant", record.atoms(), dense)
    start = study.calculation(f"vac{len(saddle)}_relaxed_dense", "vacancy_variant", relaxed.atoms(), dense)
    there, before = study.laboratory.good([here, start])
    value = record.energy - relaxed.energy
    return reference(
        study,
        "vacancy_migration_energy",
        value,
        "eV",
        value - (there.energy - before.energy),
        f"a neighbour half way into the vacancy, {len(saddle)} atoms, positions relaxed within the symmetry that holds "
        f"it there (largest force component {1e3 * record.largest_force:.1f} meV/Å); mesh {said(mesh)}; error: mesh",
        ground.lattice,
        (group, f"vac{len(saddle)}_relaxed"),
        protocol | {"saddle": "by symmetry"},
    )


def _start_energy(relaxed: Record) -> float:
    """Energy of the first structure of a relaxation, which has to be the one that was asked for."""
    if not relaxed.path or relaxed.initial is None:
        raise UqbenchError(f"{relaxed.name}: the record holds no path; remove it to have it computed again.")
    first = relaxed.path[0]
    moved = np.abs(np.array(first.positions) - np.array(relaxed.initial)).max()
    if moved > 1e-5:
        raise UqbenchError(
            f"{relaxed.name}: the first step lies {moved:.1e} Å off the start; remove the record to have it computed "
            "again."
        )
    return first.energy
