"""What cutoff, mesh and smearing leave: the convergence table, and the slope of the energy with the cutoff."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from tools.dft.calculation import Calculation, Species
from tools.dft.cells import crystal, deformed, low_symmetry, scaled
from tools.dft.laboratory import Laboratory
from tools.dft.material import Material, Structure
from tools.dft.pulay import CutoffSlope, cutoff_slope
from tools.dft.record import Record
from tools.dft.references.study import said, significant
from tools.dft.settings import denser, mesh_of
from tools.dft.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

SCALES = (0.98, 1.0, 1.02)
"""Of the ground state's lengths, where the slope is measured; the last of the file's phases is one structure more."""
SQUEEZED = (0.965, 1.04)
"""Of lengths, for relative energies at different cutoffs."""
WIDTH_MESH = 0.10
"""1/Å; spacing of the mesh for the effect of smearing, which no mesh is to hide."""


def measured_slope(laboratory: Laboratory, material: Material, species: Species) -> CutoffSlope:
    """d(E/N)/d ln E_cut at the cutoff of the labels. Raises UqbenchError if a calculation failed."""
    ground = _primitive(material)
    phase = list(material.phases)[-1]
    other = crystal(phase, material.element, material.phases[phase], "primitive")
    structures = {f"{scale:.2f}": scaled(ground, scale) for scale in SCALES} | {phase: other}
    cutoffs = material.convergence.pulay
    energies = []
    for name, atoms in structures.items():
        base = _calculation(material, species, f"pulay_{name}", atoms)
        scan = [base.with_settings(f"{base.name}_{cutoff:g}", cutoff=cutoff) for cutoff in cutoffs]
        energies.append([record.per_atom for record in laboratory.good(scan)])
    return cutoff_slope(np.array(cutoffs), np.array(energies), material.settings.cutoff)


def convergence_table(laboratory: Laboratory, material: Material, species: Species) -> dict:
    """For the card: differences to the first cutoff, mesh and smearing of the material's file.

    Raises as measured_slope.
    """
    ground = _primitive(material)
    test = _calculation(material, species, "conv", uneven_cell(material))
    squeezed = [_calculation(material, species, f"conv_{s:.3f}", scaled(ground, s)) for s in SQUEEZED]

    def scan(calculations: list[Calculation], what: str, values: tuple, key: str) -> list[list[Record]]:
        return [
            laboratory.good([c.with_settings(f"{c.name}_{what}{v:g}", **{key: v}) for c in calculations])
            for v in values
        ]

    asked = material.convergence
    by_cutoff = scan([test, *squeezed], "cutoff", asked.cutoffs, "cutoff")
    cutoffs = []
    for cutoff, records in zip(asked.cutoffs, by_cutoff, strict=True):
        d = [1e3 * (r.per_atom - best.per_atom) for r, best in zip(records, by_cutoff[0], strict=True)]
        cutoffs.append(
            {"cutoff_Ry": cutoff}
            | _differences(records[0], by_cutoff[0][0])
            | {
                "dE_compressed_meV_per_atom": significant(d[1] - d[0], 3),
                "dE_expanded_meV_per_atom": significant(d[2] - d[0], 3),
            }
        )
    by_mesh = [
        laboratory.one(test.with_settings(f"{test.name}_mesh{more:+d}", denser(test.mesh, more)))
        for more in asked.meshes
    ]
    meshes = [
        {"mesh": said(record.mesh), "chosen": more == 0} | _differences(record, by_mesh[0])
        for more, record in zip(asked.meshes, by_mesh, strict=True)
    ]
    pair = [_width_calculation(material, species, name) for name in list(material.phases)[:2]]
    names = list(material.phases)[:2]
    widths = [
        {
            "width_Ry": width,
            f"{names[1]}_minus_{names[0]}_meV_per_atom": significant(
                1e3 * (records[1].per_atom - records[0].per_atom), 5
            ),
            f"pressure_{names[0]}_GPa": significant(records[0].pressure * GPA, 4),
            "minus_TS_meV_per_atom": significant(1e3 * records[0].minus_ts / len(records[0].positions), 4),
        }
        for width, records in zip(asked.widths, scan(pair, "width", asked.widths, "width"), strict=True)
    ]
    cell = f"{len(test.atoms)} atoms, low symmetry, displaced by 0.1 Å rms, strained by 2 %"
    return {"test_cell": cell, "cutoff": cutoffs, "mesh": meshes, "smearing": widths}


def uneven_cell(material: Material) -> Atoms:
    """Four atoms (six if the primitive cell has three, ...) without any symmetry."""
    rng = np.random.default_rng(3)
    ground = _primitive(material)
    atoms = low_symmetry(ground, 4 if 4 % len(ground) == 0 else 2 * len(ground), rng)
    atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
    return deformed(atoms, np.eye(3) + np.array([[0.02, 0.015, 0], [0.015, -0.01, 0], [0, 0, 0]]))


def _primitive(material: Material) -> Atoms:
    return crystal(material.ground, material.element, material.phases[material.ground], "primitive")


def _calculation(
    material: Material, species: Species, name: str, atoms: Atoms, spacing: float | None = None
) -> Calculation:
    settings = material.settings.model_copy(update={"threshold": material.references.threshold})
    mesh = mesh_of(atoms, settings.spacing if spacing is None else spacing)
    return Calculation(f"{material.name}_{name}", "convergence", atoms, species, settings, mesh)


def _width_calculation(material: Material, species: Species, phase: Structure) -> Calculation:
    atoms = crystal(phase, material.element, material.phases[phase], "primitive")
    return _calculation(material, species, f"conv_{phase}", atoms, WIDTH_MESH)


def _differences(record: Record, best: Record) -> dict[str, JsonValue]:
    forces = np.abs(np.array(record.forces) - np.array(best.forces)).max()
    stress = np.abs(record.stress_tensor - best.stress_tensor).max()
    return {
        "dE_meV_per_atom": significant(1e3 * (record.per_atom - best.per_atom), 4),
        "dF_meV_per_A": significant(1e3 * float(forces), 3),
        "dstress_GPa": significant(float(stress) * GPA, 3),
        "seconds": record.seconds,
    }
