"""Bases of displacements and strains: all but rigid motions, and those that keep a structure's symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.symmetry import Operations, operations

if TYPE_CHECKING:
    from ase import Atoms

TENSOR = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
"""Rows and columns of the components xx yy zz yz xz xy."""
WEIGHTS = np.sqrt([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
"""Of these components in a vector whose dot products are contractions of symmetric tensors (Mandel's)."""


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
    n = len(atoms)
    group = symmetry(atoms)
    projector = np.zeros((n, 3, n, 3))
    rows = np.arange(n)
    for rotation, images in zip(group.cartesian, group.images(atoms), strict=True):
        projector[images, :, rows, :] += rotation
    free = free_displacements(n)
    inside = free.T @ projector.reshape(3 * n, 3 * n) @ free / len(group.cartesian)
    return free @ _image(inside)


def symmetric_strains(atoms: Atoms) -> Array:
    """(6, K) orthonormal strains, in components times WEIGHTS, that keep the symmetry of a periodic structure.

    One for cubic crystals, two for hexagonal ones. Raises UqbenchError as symmetric_displacements does.
    """
    rotations = symmetry(atoms).cartesian
    projector = np.zeros((6, 6))
    for k, unit in enumerate(np.eye(6)):
        tensor = to_tensor(unit / WEIGHTS)
        projector[:, k] = (rotations @ tensor @ rotations.transpose(0, 2, 1)).mean(axis=0)[TENSOR] * WEIGHTS
    return _image(projector)


def to_tensor(components: Array) -> Array:
    """(3, 3, ...) symmetric tensor of components (6, ...) xx yy zz yz xz xy."""
    tensor = np.empty((3, 3, *components.shape[1:]))
    i, j = TENSOR
    tensor[i, j] = tensor[j, i] = components
    return tensor


def symmetry(atoms: Atoms) -> Operations:
    """The operations of a periodic structure. Raises UqbenchError if not even the identity is found."""
    found = operations(atoms)
    if found is None:
        raise UqbenchError(f"{atoms.get_chemical_formula()}: spglib finds no symmetry; do atoms overlap?")
    return found


def _image(projector: Array) -> Array:
    """Orthonormal columns that span what a projector leaves unchanged."""
    values, vectors = np.linalg.eigh(0.5 * (projector + projector.T))
    return vectors[:, values > 0.5]
