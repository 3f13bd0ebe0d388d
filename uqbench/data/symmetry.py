"""Which force and stress components symmetry makes zero: right for every model, so never scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.symmetry import SYMPREC, Operations, operations

if TYPE_CHECKING:
    from ase import Atoms

VACUUM = 20.0
"""Å of empty space along directions that are not periodic."""

_ZERO = 1e-6
_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def free_components(atoms: Atoms) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of the forces (n_atoms, 3) and of the stress (6,): False where symmetry makes the component zero.

    The force on an atom is invariant under the operations that leave the atom where it is, so it lies in the
    image of the average of their rotations, a projector P. A component is zero by symmetry if its whole row of
    P is; P being symmetric and idempotent, that is P_aa = 0. A force bound to lie along, say, [111] has no zero
    component and stays. The stress is treated alike, under all rotations of the space group, on symmetric
    tensors; it is all free (and meaningless) unless the structure is periodic in three directions.

    Directions that are not periodic get empty space, and a molecule a cube of it. That finds the operations
    compatible with the box, which for a molecule are those of the cubic group about the Cartesian axes: all
    that can zero a Cartesian component, but for axes of rotation askew in a coordinate plane.
    """
    boxed = _boxed(atoms)
    free_forces = np.ones((len(atoms), 3), dtype=bool)
    free_stress = np.ones(6, dtype=bool)
    group = operations(boxed)
    if group is None or not (group.rotations != np.eye(3, dtype=int)).any():
        return free_forces, free_stress
    free_forces = _site_diagonals(boxed, group) > _ZERO
    if atoms.pbc.all():
        free_stress = _stress_diagonal(group.cartesian) > _ZERO
    return free_forces, free_stress


def _site_diagonals(boxed: Atoms, group: Operations) -> Array:
    """(n_atoms, 3) diagonals of the projectors onto forces allowed at each site."""
    cell, fractional = boxed.cell.array, boxed.get_scaled_positions(wrap=False)
    total = np.zeros((len(fractional), 3))
    count = np.zeros(len(fractional))
    for rotation, translation, turn in zip(group.rotations, group.translations, group.cartesian, strict=True):
        moved = fractional @ rotation.T + translation - fractional
        moved -= np.round(moved)
        # Looser than the search: spglib allows both the atom and the operation's own position an error.
        fixed = np.linalg.norm(moved @ cell, axis=1) < 5 * SYMPREC
        total[fixed] += np.diag(turn)
        count += fixed
    return total / count[:, None]


def _stress_diagonal(cartesian: Array) -> Array:
    """(6,) diagonal of the projector onto symmetric tensors that all rotations leave unchanged."""
    diagonal = np.empty(6)
    for k, (a, b) in enumerate(_PAIRS):
        # <e, Q e Qᵀ> with e the unit tensor along component ab (e_ab = e_ba = 1/√2 off the diagonal).
        straight = cartesian[:, a, a] * cartesian[:, b, b]
        crossed = cartesian[:, a, b] * cartesian[:, b, a] if a != b else 0.0
        diagonal[k] = np.mean(straight + crossed)
    return diagonal


def _boxed(atoms: Atoms) -> Atoms:
    """The structure with empty space along the directions that are not periodic."""
    boxed = atoms.copy()
    if atoms.pbc.all():
        return boxed
    vectors = atoms.cell.array.copy()
    vectors[~atoms.pbc] = 0.0
    boxed.set_cell(vectors)
    vectors = boxed.cell.complete().array.copy()
    span = np.linalg.norm(np.ptp(atoms.positions, axis=0)) + VACUUM
    vectors[~atoms.pbc] *= span / np.linalg.norm(vectors[~atoms.pbc], axis=1)[:, None]
    boxed.set_cell(vectors)
    boxed.pbc = True
    return boxed
