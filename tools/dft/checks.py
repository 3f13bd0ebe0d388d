"""Are energies, forces and stresses one surface? Labels of a structure against differences of energies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from tools.dft.calculation import Calculation, Species
from tools.dft.cells import deformed
from tools.dft.convergence import uneven_cell
from tools.dft.laboratory import Laboratory
from tools.dft.material import Material
from tools.dft.pulay import CutoffSlope
from tools.dft.references.study import significant
from tools.dft.settings import mesh_of
from tools.dft.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

MOVE, STRAIN = 0.01, 0.004
"""Å, and component of the tensor: steps of central differences."""


def consistency(laboratory: Laboratory, material: Material, species: Species, slope: CutoffSlope) -> dict:
    """For the card: force and stress components of the uneven cell, stress with and without its Pulay part.

    Raises UqbenchError if a calculation failed.
    """
    atoms = uneven_cell(material)
    settings = material.settings.model_copy(update={"threshold": material.references.threshold})
    mesh = mesh_of(atoms, settings.spacing)

    def calculation(name: str, structure: Atoms) -> Calculation:
        return Calculation(f"{material.name}_check_{name}", "check", structure, species, settings, mesh)

    label = laboratory.one(calculation("label", atoms))
    forces: list[JsonValue] = []
    for atom, axis in ((0, 0), (1, 1), (2, 2)):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * MOVE
            ends.append(calculation(f"force{atom}{'xyz'[axis]}{sign:+d}", moved))
        up, down = laboratory.good(ends)
        difference = (down.energy - up.energy) / (2 * MOVE)
        given = label.forces[atom][axis]
        forces.append(
            {
                "atom": atom,
                "axis": "xyz"[axis],
                "label_eV_per_A": significant(given, 6),
                "difference_eV_per_A": significant(difference, 6),
                "off_meV_per_A": significant(1e3 * (given - difference), 3),
            }
        )
    corrected = slope.corrected(label.stress_tensor, label.volume) * GPA
    stresses: list[JsonValue] = []
    for i, j in ((0, 0), (2, 2), (0, 2)):
        ends = []
        for sign in (1, -1):
            tensor = np.zeros((3, 3))
            tensor[i, j] = tensor[j, i] = sign * STRAIN
            ends.append(calculation(f"stress{i}{j}{sign:+d}", deformed(atoms, np.eye(3) + tensor)))
        up, down = laboratory.good(ends)
        # A shear moves both components of the tensor.
        share = 1.0 if i == j else 0.5
        volume = label.volume * len(label.positions)
        difference = share * (up.energy - down.energy) / (2 * STRAIN * volume) * GPA
        raw = float(label.stress_tensor[i, j]) * GPA
        stresses.append(
            {
                "component": "xyz"[i] + "xyz"[j],
                "label_GPa": significant(float(corrected[i, j]), 6),
                "raw_GPa": significant(raw, 6),
                "difference_GPa": significant(difference, 6),
                "off_GPa": significant(float(corrected[i, j]) - difference, 3),
            }
        )
    return {"forces": forces, "stress": stresses}
