"""How much labels depend on the cell and its mesh: the same crystal in cells like those of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import JsonValue

from tools.dft.calculation import Calculation, Species
from tools.dft.cells import crystal, low_symmetry
from tools.dft.laboratory import Laboratory
from tools.dft.material import Material, Structure
from tools.dft.record import Record
from tools.dft.references.study import said, significant
from tools.dft.settings import Mesh, denser, mesh_of
from tools.dft.units import GPA
from uqbench.api import Array

if TYPE_CHECKING:
    from ase import Atoms

SITES = (4, 6, 8, 12)
OFF = 3e-4
"""Å rms: enough for pw.x to see no symmetry, as in the pool; the forces of a few meV/Å that it causes are real."""
MORE = 6
"""Points along each axis of the mesh that is compared with."""


@dataclass(frozen=True)
class CellNoise:
    """rows: for the card. largest: difference of energies, meV/atom."""

    rows: tuple[JsonValue, ...]
    largest: float


def cell_noise(laboratory: Laboratory, material: Material, species: Species) -> CellNoise:
    """A row a cell: energy against a denser mesh, largest force and shear where there should be none.

    Cells of the ground state have no symmetry; crystals of the other phases have theirs, and only their energy and
    pressure are compared. Raises UqbenchError if a calculation failed.
    """
    settings, spacing = material.settings, material.settings.spacing

    def calculation(name: str, atoms: Atoms, mesh: Mesh) -> Calculation:
        return Calculation(f"{material.name}_noise_{name}", "noise", atoms, species, settings, mesh)

    def crystal_of(phase: Structure, cell: str = "primitive") -> Atoms:
        return crystal(phase, material.element, material.phases[phase], cell)

    primitive = crystal_of(material.ground)
    cells = {"primitive": primitive, "cubic": crystal_of(material.ground, "conventional")}
    for sites in SITES:
        if sites % len(primitive) == 0:
            cells[f"low_symmetry_{sites}"] = low_symmetry(primitive, sites, np.random.default_rng(sites))
    plain = calculation("truth", primitive, denser(mesh_of(primitive, spacing), MORE))
    asked = [calculation(name, _off(atoms), mesh_of(atoms, spacing)) for name, atoms in cells.items()]
    truth, *found = laboratory.good([plain, *asked])
    rows = [
        _row(material.ground, record, truth)
        | {
            "largest_force_meV_per_A": significant(1e3 * record.largest_force, 3),
            "largest_shear_GPa": significant(float(np.abs(_deviator(record)).max()), 3),
        }
        for record in found
    ]
    spacings: dict[Structure, float] = {
        g.structure: g.spacing or spacing for g in material.pool if g.structure != material.ground
    }
    for phase, its_own in spacings.items():
        atoms = crystal_of(phase)
        mesh = mesh_of(atoms, its_own)
        pair = [calculation(phase, atoms, mesh), calculation(f"{phase}_truth", atoms, denser(mesh, MORE))]
        rows.append(_row(phase, *laboratory.good(pair)))
    return CellNoise(tuple(rows), max(abs(float(row["dE_meV_per_atom"])) for row in rows))


def _row(phase: str, record: Record, truth: Record) -> dict[str, Any]:
    return {
        "crystal": phase,
        "atoms": len(record.positions),
        "mesh": said(record.mesh),
        "dE_meV_per_atom": significant(1e3 * (record.per_atom - truth.per_atom), 3),
        "dp_GPa": significant((record.pressure - truth.pressure) * GPA, 3),
    }


def _off(atoms: Atoms) -> Atoms:
    moved = atoms.copy()
    moved.positions += np.random.default_rng(5).normal(0.0, OFF, atoms.positions.shape)
    return moved


def _deviator(record: Record) -> Array:
    stress = record.stress_tensor * GPA
    return stress - np.eye(3) * np.trace(stress) / 3
