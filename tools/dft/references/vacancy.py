"""Vacancy formation energy, unrelaxed and relaxed at fixed cell, and the barrier of its migration."""

from __future__ import annotations

import numpy as np

from tools.dft.cells import crystal
from tools.dft.record import Record
from tools.dft.references.equation_of_state import Ground
from tools.dft.references.relaxed import relaxed_energies
from tools.dft.references.study import (
    Effects,
    Study,
    reference,
    said,
    significant,
)
from uqbench.data.card import ReferenceProperty
from uqbench.errors import UqbenchError
from uqbench.properties.migration import halfway


def vacancy_energies(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties vacancy_formation_energy, _unrelaxed and, if asked for, vacancy_migration_energy.

    Energies are those of the denser mesh at positions that were relaxed with the other.
    """
    material, asked = study.material, study.material.references.vacancy
    study = study.relaxing(asked.spacing, asked.shift)
    perfect = crystal(material.ground, material.element, ground.lattice).repeat(asked.supercell)
    vacant = perfect.copy()
    del vacant[0]
    sites, mesh = len(perfect), study.mesh(perfect)
    variants = study.variants(mesh, asked.denser)
    relaxed = relaxed_energies(study, f"vac{sites - 1}_relaxed", vacant, variants, asked.force)
    bulk = study.calculation(f"bulk{sites}", f"bulk{sites}", perfect, mesh)
    found = study.laboratory.good([study.varied(bulk, variant) for variant in variants])
    formation = {
        variant.tag: relaxed.energies[variant.tag] - (sites - 1) / sites * record.energy
        for variant, record in zip(variants, found, strict=True)
    }
    changed = Effects.of(variants, formation)
    relaxation = _start_energy(relaxed.record) - relaxed.energies[""]
    protocol = {
        "supercell": list(asked.supercell),
        "cell": "conventional",
        "sites": sites,
        "a": ground.lattice.a,
        "fixed_cell": True,
        "reference": f"bulk in the same supercell ({bulk.group}_dense)",
        "effect_of_settings_eV": changed.for_protocol(),
    }
    places = f"{sites - 1} atoms in {sites} sites at a = {ground.lattice.a:.4f} Å, {variants[1].words}"
    moved = f"positions relaxed with mesh {said(mesh)} ({relaxed.left})"
    error = f"error: what the denser mesh (of {said(mesh)}) and a {variants[2].words} change"
    properties = [
        reference(
            study,
            "vacancy_formation_energy",
            formation["_dense"],
            "eV",
            changed.error(),
            f"{places}, cell fixed, {moved}; {error}",
            ground.lattice,
            (f"{relaxed.record.group}_dense", f"{bulk.group}_dense"),
            protocol | {"relaxed": f"positions, {relaxed.left}"},
        ),
        reference(
            study,
            "vacancy_formation_energy_unrelaxed",
            formation["_dense"] + relaxation,
            "eV",
            changed.error(),
            f"{places}, atoms on their sites: the relaxed one, and what relaxation gains with mesh {said(mesh)}; "
            f"{error}",
            ground.lattice,
            (*(f"{relaxed.record.group}{tag}" for tag in ("_path", "", "_dense")), f"{bulk.group}_dense"),
            protocol
            | {
                "structure": "first of the path (relaxation_start)",
                "relaxation_energy": significant(relaxation),
            },
        ),
    ]
    if asked.migration:
        # A neighbour half way into the vacancy: symmetry keeps it there while the others relax.
        saddle = relaxed_energies(study, f"vac{sites - 1}_saddle", halfway(perfect), variants, asked.force)
        barrier = {tag: saddle.energies[tag] - relaxed.energies[tag] for tag in saddle.energies}
        changed = Effects.of(variants, barrier)
        properties.append(
            reference(
                study,
                "vacancy_migration_energy",
                barrier["_dense"],
                "eV",
                changed.error(),
                f"a neighbour half way into the vacancy, {sites - 1} atoms, {variants[1].words}; positions relaxed "
                f"with mesh {said(mesh)} within the symmetry that holds it there ({saddle.left}); {error}",
                ground.lattice,
                (f"{saddle.record.group}_dense", f"{relaxed.record.group}_dense"),
                protocol | {"saddle": "by symmetry", "effect_of_settings_eV": changed.for_protocol()},
            )
        )
    return properties


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
