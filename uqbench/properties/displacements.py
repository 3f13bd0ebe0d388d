"""Bases of displacements: all but translations, and those that keep a structure's symmetry."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

SYMPREC = 1e-4
"""Å, distance within which positions count as equivalent."""


def free_displacements(n_atoms: int) -> Array:
    """(3N, 3N - 3) orthonormal displacements of N atoms that leave their centre where it is."""
    across = np.linalg.qr(np.column_stack([np.ones(n_atoms), np.eye(n_atoms)[:, 1:]]))[0][:, 1:]
    return np.asarray(np.kron(across, np.eye(3)), dtype=np.float64)


def symmetric_displacements(atoms: Atoms) -> Array:
    """(3N, M) orthonormal displacements, without translations, that keep the symmetry of a periodic structure.

    They span the image of (1/|G|) Σ_g R_g ⊗ π_g, the projector on what all operations of the space group G leave
    unchanged; forces of any potential lie in it. M is a handful for a vacancy in a cubic crystal.
    Raises UqbenchError if no symmetry is found (not even the identity): overlapping atoms.
    """
    import spglib

    n = len(atoms)
    cell, fractional = atoms.cell.array, atoms.get_scaled_positions(wrap=False)
    with warnings.catch_warnings():
        # spglib announces on every call that failures will be raised instead of returned as None.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry(
            (cell.tolist(), fractional.tolist(), atoms.numbers.tolist()), symprec=SYMPREC
        )
    if found is None:
        raise UqbenchError(f"{atoms.get_chemical_formula()}: spglib finds no symmetry; do atoms overlap?")
    projector = np.zeros((n, 3, n, 3))
    rows = np.arange(n)
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        difference = (fractional @ rotation.T + translation)[:, None] - fractional[None]
        distance = np.linalg.norm((difference - np.round(difference)) @ cell, axis=2)
        projector[distance.argmin(axis=1), :, rows, :] += cell.T @ rotation @ np.linalg.inv(cell.T)
    free = free_displacements(n)
    inside = free.T @ projector.reshape(3 * n, 3 * n) @ free / len(found["rotations"])
    values, vectors = np.linalg.eigh(0.5 * (inside + inside.T))
    return free @ vectors[:, values > 0.5]
