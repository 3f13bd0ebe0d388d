"""A material as a dataset on disk: a card with exact reference properties, and a pool of labelled structures."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from uqbench.analytic.configurations import GROUPS, configurations
from uqbench.analytic.materials import Material, name_of
from uqbench.atomic import write_atomically
from uqbench.data.card import read_card
from uqbench.data.files import locate
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.lattice import CONSTANTS

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

VERSION = 1
"""To be raised when the same number gives other files."""
CARD, POOL = "card.yaml", "pool.xyz"
CUTOFFS = {"fcc": 1.11, "bcc": 1.53, "diamond": 0.88}
"""Suggested for SNAP, in units of a: between shells, as published SNAPs of such crystals have it."""
ERRORS = {"Å": 1e-6, "GPa": 1e-2, "eV": 1e-6}
"""What finite differences, tables and tolerances leave of numerical error, by unit."""


def write_material(number: int, folder: Path) -> Path:
    """Write card and pool of a material into a folder of its own; gives the path of the card.

    The folder appears whole or not at all; one that is complete is kept, a few seconds otherwise. Raises UqbenchError
    if it holds anything else, or if no draw of the material is stable.
    """
    if _complete(number, folder):
        return folder / CARD
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        material = Material.draw(number)
        calculator = material.calculator()
        frames = configurations(material, calculator)
        pool = _pool(frames, calculator)
        groups = tuple(dict.fromkeys(group for group, _ in frames))
        write_atomically(partial / POOL, pool)
        write_atomically(partial / CARD, _card(material, groups, pool))
        partial.chmod(0o755)
        try:
            partial.rename(folder)
        except OSError as error:
            # Another process may have been first; anything else that is there is not ours to remove.
            if not _complete(number, folder):
                raise UqbenchError(f"{folder}: the material cannot be put there: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder / CARD


def _complete(number: int, folder: Path) -> bool:
    """Whether the material is there; False where there is nothing."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    remedy = "Delete it, or give another folder"
    try:
        card = read_card(folder / CARD)
        locate(card, folder)
    except UqbenchError as error:
        raise UqbenchError(
            f"{folder}: holds something else than analytic material {number}: {error} {remedy}."
        ) from error
    made = (card.name, card.provenance.get("version"))
    if made != (name_of(number), VERSION):
        raise UqbenchError(
            f"{folder}: holds {made[0]}, version {made[1]}, not {name_of(number)}, version {VERSION}. {remedy}."
        )
    return True


def _pool(frames: Sequence[tuple[str, Atoms]], calculator: Calculator) -> bytes:
    """Labelled structures as extended XYZ."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io.extxyz import write_extxyz

    text = StringIO()
    for group, atoms in frames:
        calculator.calculate(atoms)
        results = {name: calculator.results[name] for name in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["config_type"] = group
        write_extxyz(text, [atoms])
    return text.getvalue().encode()


def _card(material: Material, groups: Sequence[str], pool: bytes) -> bytes:
    crystal = material.exact.crystal
    content = {
        "name": material.name,
        "description": f"A {material.structure} crystal whose truth is a classical potential ({material.family.name}, "
        f"random parameters), with exact properties; {material.symbol} in name only.",
        "elements": [material.symbol],
        "licence": "MIT (generated)",
        "citation": f"uqbench.analytic, material {material.number}",
        "files": [{"name": POOL, "sha256": hashlib.sha256(pool).hexdigest(), "bytes": len(pool)}],
        "dft": {
            "truth": f"classical potential: {material.family.name}; {material.family.law}",
            "parameters": dict(material.parameters),
            "units": "eV, Å",
            "code": "LAMMPS",
        },
        "groups": {name: GROUPS[name] for name in groups},
        "suggested": {"snap": {"cutoff": round(CUTOFFS[material.structure] * crystal.a, 2)}},
        "properties": list(_properties(material)),
        "notes": [
            "Displacements are random (normal, 1 to 5 % of the distance of nearest neighbours), not from dynamics; "
            "atoms closer than 80 % of it are left out.",
            "No structure of a reference property is in the pool: neither the relaxed vacancy nor its path.",
        ],
        "provenance": {
            "generator": "uqbench.analytic.generate.write_material",
            "number": material.number,
            "version": VERSION,
            "redraws": material.redraws,
        },
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110).encode()


def _properties(material: Material) -> Iterator[dict[str, object]]:
    exact, crystal = material.exact, material.exact.crystal
    names = CONSTANTS if material.structure == "diamond" else CONSTANTS[:-1]
    for name in names:
        unit = "Å" if name == "lattice_constant" else "GPa"
        method = (
            "zero of the stress" if unit == "Å" else "slopes of the stress with strain at a, atoms relaxed"
        )
        if name == "C44_unrelaxed":
            method = "slope of the stress with strain at a, fractional coordinates kept"
        yield _property(
            name, exact.constants[name], unit, method, crystal, {"cell": "primitive", "a": crystal.a}
        )
    perfect = crystal.perfect()
    for name, value, how in (
        ("vacancy_formation_energy", exact.vacancy.relaxed, "positions relaxed from ideal sites"),
        ("vacancy_formation_energy_unrelaxed", exact.vacancy.unrelaxed, "ideal sites"),
    ):
        protocol = {
            "supercell": list(crystal.supercell),
            "cell": "cubic",
            "sites": len(perfect),
            "a": crystal.a,
            "fixed_cell": True,
        }
        method = f"E(N-1) - (N-1)/N E(N) in one supercell at a, {how}"
        yield _property(name, value, "eV", method, crystal, protocol)


def _property(
    name: str, value: float, unit: str, method: str, crystal: Crystal, protocol: Mapping[str, object]
) -> dict[str, object]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "method": method,
        "error_estimate": ERRORS[unit],
        "crystal": {"structure": crystal.structure, "a": crystal.a},
        "protocol": dict(protocol),
    }
