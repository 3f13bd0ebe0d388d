"""Any cell in the frame that LAMMPS wants: lower-triangular, compact, periodic directions first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api.prediction import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

MARGIN = 1.0
"""Space left around the atoms in directions that are not periodic, Å."""


@dataclass(frozen=True)
class Placement:
    """A structure turned into LAMMPS's frame; its energy is the same, its vectors are rotated.

    box: (3, 3) lower-triangular, rows are box vectors, Å. origin: (3,), Å. positions: (n_atoms, 3), inside
    the box, Å. periodic: how many of the box vectors, counted from the first, are periodic.
    rotation: (3, 3) proper rotation Q, position here = position there @ Q; None where nothing was turned.
    """

    box: Array
    origin: Array
    positions: Array
    periodic: int
    rotation: Array | None

    @property
    def volume(self) -> float:
        """Volume of the box, Å³."""
        return float(np.prod(np.diag(self.box)))

    def vectors_back(self, rows: Array) -> Array:
        """Rows of vector components (3n, P), x y z in turn, from LAMMPS's frame to the structure's own."""
        if self.rotation is None:
            return rows
        return (self.rotation @ rows.reshape(-1, 3, rows.shape[1])).reshape(rows.shape)

    def tensor_back(self, rows: Array) -> Array:
        """Rows of a symmetric tensor (6, P), xx yy zz yz xz xy, from LAMMPS's frame to the structure's own."""
        if self.rotation is None:
            return rows
        i, j = [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]
        full = np.empty((3, 3, rows.shape[1]))
        full[i, j] = full[j, i] = rows
        return np.einsum("ab,bcp,dc->adp", self.rotation, full, self.rotation)[i, j]


def place(atoms: Atoms) -> Placement:
    """Turn a structure into LAMMPS's frame.

    Periodic cells of any shape and handedness are Minkowski-reduced (same lattice, fewest images) and
    rotated; a cell that fits as it is stays untouched. Without periodicity the cell is ignored and the box
    laid around the atoms. Raises UqbenchError for periodic directions that span no volume.
    """
    pbc = np.asarray(atoms.pbc, dtype=bool)
    vectors = np.asarray(atoms.cell.array, dtype=np.float64)
    periodic = int(pbc.sum())
    _check_volume(atoms, vectors[pbc])
    if periodic == 3 and _fits(vectors):
        rotation, box = None, vectors
        positions = atoms.get_positions()
    else:
        rotation, box = _rotated(vectors, pbc)
        positions = atoms.get_positions() @ rotation
    origin = np.zeros(3)
    if periodic < 3:
        origin[periodic:] = positions[:, periodic:].min(axis=0) - MARGIN
        top = positions[:, periodic:].max(axis=0) + MARGIN
        box[range(periodic, 3), range(periodic, 3)] = top - origin[periodic:]
    turns = np.floor((positions - origin) @ np.linalg.inv(box))
    turns[:, periodic:] = 0.0
    return Placement(box, origin, positions - turns @ box, periodic, rotation)


def _check_volume(atoms: Atoms, vectors: Array) -> None:
    lengths = np.linalg.norm(vectors, axis=1)
    spanned = np.sqrt(max(np.linalg.det(vectors @ vectors.T), 0.0)) if len(vectors) else 1.0
    if spanned <= 1e-6 * np.prod(lengths):
        raise UqbenchError(
            f"{atoms.get_chemical_formula()}: the periodic cell vectors {vectors.tolist()} span no volume. "
            "Give a cell, or set pbc to False."
        )


def _fits(vectors: Array) -> bool:
    a, b, _ = diagonal = np.diag(vectors)
    if np.triu(vectors, 1).any() or (diagonal <= 0).any():
        return False
    tilts = np.abs([vectors[1, 0] / a, vectors[2, 0] / a, vectors[2, 1] / b])
    return bool((tilts <= 0.5 + 1e-12).all())


def _rotated(vectors: Array, pbc: np.ndarray) -> tuple[Array, Array]:
    """Proper rotation (3, 3), and the box (3, 3) with zero rows for directions that are not periodic."""
    from ase.geometry import minkowski_reduce

    periodic = int(pbc.sum())
    box = np.zeros((3, 3))
    if periodic == 0:
        return np.eye(3), box
    lattice = vectors[pbc]
    if periodic > 1:  # ASE's annotation leaves out that pbc may be given by direction
        lattice = np.asarray(minkowski_reduce(vectors, pbc)[0])[pbc]  # pyright: ignore[reportArgumentType]
    if periodic == 3 and np.linalg.det(lattice) < 0:
        lattice = -lattice  # the same lattice, right-handed
    axes, upper = np.linalg.qr(lattice.T, mode="complete")
    axes[:, :periodic] *= np.sign(np.diag(upper))
    if np.linalg.det(axes) < 0:
        axes[:, 2] *= -1.0
    box[:periodic] = np.tril(lattice @ axes)
    for row, column in ((2, 1), (2, 0), (1, 0)):
        if row < periodic:
            box[row] -= np.round(box[row, column] / box[column, column]) * box[column]
    return axes, box
