"""Labelled toy structures: copper-gold cells and molecules with the labels of an effective-medium potential.

No pair potential reaches these labels, so a method meets a misspecified model, as it does on real data.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Frame, Kind

if TYPE_CHECKING:
    from ase import Atoms

ELEMENTS = ("Au", "Cu")
SCALES: dict[Kind, float] = {"energy": 0.01, "forces": 0.1, "stress": 0.01}


@cache
def toy_frames() -> tuple[Frame, ...]:
    """Nineteen frames of 3 or 4 atoms in fourteen clusters.

    Sixteen periodic cells (one a perfect crystal whose forces symmetry makes zero, one without forces, one
    without stress, one with an energy alone), two molecules without a cell, one slab periodic in two directions.
    """
    rng = np.random.default_rng(20)
    frames = [_frame(_cell(rng), max(0, number - 3)) for number in range(14)]
    frames[3] = dataclasses.replace(frames[3], forces=None)
    frames[5] = dataclasses.replace(frames[5], stress=None)
    perfect = _frame(_perfect(), 10)
    frames.append(
        dataclasses.replace(
            perfect,
            free_forces=np.zeros((len(perfect.atoms), 3), dtype=bool),
            free_stress=np.array([True, True, True, False, False, False]),
        )
    )
    frames += [_frame(_isolated(rng), 11), _frame(_isolated(rng), 11), _frame(_slab(rng), 12)]
    frames.append(dataclasses.replace(_frame(_cell(rng), 13), forces=None, stress=None))
    return tuple(frames)


def energies_only(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The frames without their forces and stresses."""
    return tuple(dataclasses.replace(f, forces=None, stress=None) for f in frames)


@cache
def unseen_structures() -> tuple[Atoms, ...]:
    """Three structures that are not among the frames: a sheared cell, a molecule, a single atom in a cell."""
    from ase import Atoms

    rng = np.random.default_rng(21)
    cell = _cell(rng)
    strain = np.eye(3) + 0.03 * rng.standard_normal((3, 3))
    cell.set_cell(cell.cell.array @ strain, scale_atoms=True)
    single = Atoms("Cu", cell=[[0, 1.8, 1.9], [1.75, 0, 1.8], [1.8, 1.85, 0]], pbc=True)
    return cell, _isolated(rng), single


def _perfect() -> Atoms:
    from ase.build import bulk

    return bulk("Cu", cubic=True, a=3.7)


def _cell(rng: np.random.Generator) -> Atoms:
    atoms = _perfect()
    atoms.symbols[: int(rng.integers(0, 3))] = "Au"
    atoms.set_cell(atoms.cell.array * rng.uniform(0.98, 1.08), scale_atoms=True)
    atoms.positions += 0.15 * rng.standard_normal((len(atoms), 3))
    return atoms


def _isolated(rng: np.random.Generator) -> Atoms:
    atoms = _cell(rng)[:3]
    atoms.pbc = False
    atoms.cell = None
    return atoms


def _slab(rng: np.random.Generator) -> Atoms:
    atoms = _cell(rng)
    atoms.pbc = (True, True, False)
    return atoms


def _frame(atoms: Atoms, cluster: int) -> Frame:
    from ase.calculators.emt import EMT

    labelled = atoms.copy()
    labelled.calc = EMT()
    stress = labelled.get_stress() if atoms.pbc.all() else None
    return Frame(
        atoms,
        float(labelled.get_potential_energy()),
        np.array(labelled.get_forces()),
        None if stress is None else np.array(stress),
        "toy",
        cluster,
        np.ones((len(atoms), 3), dtype=bool),
        np.ones(6, dtype=bool),
        f"toy frame of {atoms.get_chemical_formula()}",
    )
