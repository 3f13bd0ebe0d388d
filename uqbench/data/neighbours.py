"""Distances to the nearest neighbours, periodic images included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array

if TYPE_CHECKING:
    from ase import Atoms


def nearest_distances(atoms: Atoms, count: int, cutoff: float) -> Array:
    """(n_atoms, count) distances in Å from each atom to its nearest others, ascending.

    Beyond the cutoff (Å), and where there are fewer atoms, the entry is the cutoff: an entry then changes by no
    more than twice the largest displacement of an atom. Any cell shape and periodicity; a cell smaller than the
    cutoff is repeated.
    """
    from scipy.spatial import KDTree

    positions = atoms.positions
    everywhere = positions
    if atoms.pbc.any():
        cell = atoms.cell.complete().array
        inverse = np.linalg.inv(cell)
        fractional = positions @ inverse
        fractional[:, atoms.pbc] %= 1.0
        positions = fractional @ cell
        # A cutoff sphere reaches this far in units of each cell vector.
        reach = np.where(atoms.pbc, cutoff * np.linalg.norm(inverse, axis=0), 0.0)
        steps = [np.arange(-int(np.ceil(r)), int(np.ceil(r)) + 1) for r in reach]
        shifts = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        images = (fractional[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
        near = (images >= -reach - 1e-9) & (images <= 1.0 + reach + 1e-9) | ~atoms.pbc
        everywhere = images[near.all(axis=1)] @ cell
    tree = KDTree(everywhere)
    # The first hit is the atom itself.
    distances, _ = tree.query(positions, k=count + 1, distance_upper_bound=cutoff)
    return np.minimum(distances[:, 1:], cutoff)
