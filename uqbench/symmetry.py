"""The operations that leave a periodic structure as it is, by spglib."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ase import Atoms

SYMPREC = 1e-4
"""Å, distance within which positions count as equivalent. Files round positions to 1e-6 or so; a displacement of
1e-4 Å gives forces of about a meV/Å."""


@dataclass(frozen=True)
class Operations:
    """x' = W x + w in fractional coordinates. rotations: W (G, 3, 3). translations: w (G, 3).

    cartesian: (G, 3, 3), the rotations of Cartesian vectors.
    """

    rotations: NDArray[np.int32]
    translations: NDArray[np.float64]
    cartesian: NDArray[np.float64]

    def images(self, atoms: Atoms) -> NDArray[np.intp]:
        """(G, N): the atom onto whose site each operation takes each atom of the structure."""
        from scipy.spatial import KDTree

        fractional = atoms.get_scaled_positions(wrap=False)
        sites = KDTree(_wrapped(fractional), boxsize=1.0)
        moved = (
            fractional @ turn.T + shift for turn, shift in zip(self.rotations, self.translations, strict=True)
        )
        return np.array([sites.query(_wrapped(positions))[1] for positions in moved], dtype=np.intp)


def operations(atoms: Atoms) -> Operations | None:
    """The space group of a structure periodic in three directions; None if spglib finds none: overlapping atoms."""
    import spglib

    cell, fractional = atoms.cell.array, atoms.get_scaled_positions(wrap=False)
    with warnings.catch_warnings():
        # spglib announces on every call that failures will be raised instead of returned as None.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry(
            (cell.tolist(), fractional.tolist(), atoms.numbers.tolist()), symprec=SYMPREC
        )
    if found is None:
        return None
    rotations, translations = found["rotations"], found["translations"]
    # x' = W x in fractional coordinates is A W A⁻¹ in Cartesian ones, A holding the cell vectors as columns.
    cartesian = cell.T @ rotations @ np.linalg.inv(cell.T)
    return Operations(rotations, translations, cartesian)


def _wrapped(fractional: NDArray[np.float64]) -> NDArray[np.float64]:
    """Into [0, 1): what lies just below 0 would be rounded up to 1."""
    return fractional % 1.0 % 1.0
