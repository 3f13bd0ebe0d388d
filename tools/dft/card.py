"""The finished set: card.yaml, pool and reference structures as compressed extended XYZ."""

from __future__ import annotations

import hashlib
import lzma
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from pydantic import JsonValue

from tools.dft.calculation import Species
from tools.dft.frames import extended_xyz, pool_frames, reference_frames
from tools.dft.material import Material
from tools.dft.pulay import CutoffSlope
from tools.dft.record import Record
from tools.dft.references.study import significant
from tools.dft.units import GPA, RYDBERG
from uqbench.atomic import write_atomically
from uqbench.data.card import Card, ReferenceProperty

if TYPE_CHECKING:
    from ase import Atoms

SMALLEST_GROUP = 12
"""Structures; of fewer, no score could be told."""


@dataclass(frozen=True)
class Results:
    """Everything that a card is made from. pool: records, failed ones too."""

    material: Material
    species: Species
    slope: CutoffSlope
    properties: tuple[ReferenceProperty, ...]
    pool: tuple[Record, ...]
    convergence: dict
    checks: dict
    engine: str


def write_set(folder: Path, results: Results) -> Card:
    """Write FOLDER/card.yaml and its two files of structures; gives the card, which has passed validation."""
    name = results.material.name
    frames = pool_frames(results.material.earlier, results.pool, results.slope)
    behind = reference_frames(sorted((folder / "records").glob(f"{name}_ref_*.json")), results.slope)
    files = []
    for role, some in (("pool", frames), ("reference", behind)):
        content = lzma.compress(extended_xyz(some), preset=9 | lzma.PRESET_EXTREME)
        file = f"{name}_{role}.xyz.xz"
        write_atomically(folder / file, content)
        digest = hashlib.sha256(content).hexdigest()
        files.append({"name": file, "sha256": digest, "bytes": len(content), "role": role})
    card = Card.model_validate(_content(results, frames, files))
    text = yaml.safe_dump(
        card.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True, width=110
    )
    write_atomically(folder / "card.yaml", text.encode())
    return card


def _content(results: Results, frames: Sequence[Atoms], files: list[dict]) -> dict:
    material, settings = results.material, results.material.settings
    return {
        "name": material.name,
        "description": material.description,
        "elements": [material.element],
        "licence": material.licence,
        "citation": material.citation,
        "files": files,
        "dft": {
            "code": results.engine,
            "xc": "PBE",
            "spin": "none",
            "pseudopotential": {
                "kind": f"norm-conserving, scalar-relativistic, {results.species.electrons} valence electrons",
                "table": "PseudoDojo NC-SR v0.4 PBE standard, as in Debian's abinit-data",
                "licence": "CC-BY-4.0, PseudoDojo (van Setten et al., Comput. Phys. Commun. 226, 39 (2018))",
                "psp8_sha256": results.species.sha256,
                "format": "psp8 rewritten to UPF by tools/dft/pseudopotential.py (same radial functions)",
            },
            "ecutwfc_Ry": settings.cutoff,
            "ecutrho_Ry": 4 * settings.cutoff,
            "kpoints": f"n_i = ceil(|b_i| / s), |b_i| in 1/Å with 2π, s = {settings.spacing:g}"
            f"{_other_spacings(material)}, {'half a step off Γ' if settings.shift else 'Γ-centred'}; "
            "one point across vacuum; references say theirs",
            "smearing": {
                "kind": "Marzari-Vanderbilt (cold)",
                "width_Ry": settings.width,
                "width_eV": significant(settings.width * RYDBERG, 5),
            },
            "bands": f"{settings.bands:g} x electrons/2, rounded up, + 2",
            "scf_threshold_Ry_per_atom": {
                "pool": settings.threshold,
                "reference_and_checks": material.references.threshold,
            },
            "energy": "free energy F = E - TS of the smeared functional, consistent with forces and stress",
            "stress": "at fixed cutoff: pw.x's, less the Pulay stress of its fixed set of plane waves (raw_stress: as "
            "pw.x gave it); ASE's sign",
            "cutoff_slope_eV_per_atom": {
                "mean": significant(results.slope.mean, 5),
                "spread_over_structures": significant(results.slope.spread, 3),
            },
        },
        "groups": groups_in_words(material),
        "held_out": list(material.held_out),
        "cluster_by": dict.fromkeys(material.relaxation_paths, "config_type"),
        "suggested": material.suggested,
        "properties": [item.model_dump(mode="json", exclude_defaults=True) for item in results.properties],
        "relaxation_paths": list(material.relaxation_paths),
        "withhold": material.withhold,
        "notes": list(material.notes),
        "provenance": _provenance(results, frames),
    }


def _other_spacings(material: Material) -> str:
    """Of groups that have a mesh of their own."""
    groups: dict[float, list[str]] = defaultdict(list)
    for group in material.pool:
        if group.spacing is not None:
            groups[group.spacing].append(group.name)
    return "".join(f"; {spacing:g} for {', '.join(names)}" for spacing, names in groups.items())


def groups_in_words(material: Material) -> dict[str, str]:
    """What each config_type holds, of earlier and of new structures."""
    words: dict[str, list[str]] = defaultdict(list)
    if material.earlier is not None:
        for name, about in material.earlier.groups.items():
            words[name].append(about)
    for group in material.pool:
        words[group.name].append(group.about)
    return {name: "; ".join(dict.fromkeys(some)) for name, some in words.items()}


def _provenance(results: Results, frames: Sequence[Atoms]) -> dict:
    by_group: dict[str, list[Atoms]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for atoms in frames:
        by_group[atoms.info["config_type"]].append(atoms)
    for record in results.pool:
        seconds[record.group].append(record.seconds)
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    energies = [atoms.get_potential_energy() / len(atoms) for atoms in frames]
    pressures = [-atoms.get_stress()[:3].mean() * GPA for atoms in frames]
    return {
        "generator": f"python -m tools.dft {results.material.name} --out FOLDER",
        "counts": {
            "structures": len(frames),
            "force_components": len(forces),
            "groups": {name: len(some) for name, some in by_group.items()},
            "groups_under_12": [name for name, some in by_group.items() if len(some) < SMALLEST_GROUP],
        },
        "ranges": {
            "energy_per_atom_eV": _range(energies),
            "largest_force_eV_per_A": significant(float(np.abs(forces).max()), 5),
            "force_rms_eV_per_A": significant(float(np.sqrt(np.mean(forces**2))), 5),
            "pressure_GPa": _range(pressures),
        },
        "checks": results.checks
        | {
            "failed": [record.name for record in results.pool if record.status == "failed"],
            "gentler_mixing": [record.name for record in results.pool if record.attempts > 1],
        },
        "convergence": results.convergence,
        "literature": [item.model_dump() for item in results.material.literature],
        "median_cpu_seconds_per_group": {
            name: significant(float(np.median(some)), 4) for name, some in seconds.items()
        },
    }


def _range(values: Sequence[float]) -> list[JsonValue]:
    return [significant(float(min(values)), 7), significant(float(max(values)), 7)]
