"""Relaxed energies of parameter samples in cells too large for tables: block conjugate gradients.

A Hessian-vector product is a central difference of force rows, and as these are linear in the coefficients one pair of
evaluations gives it for every sample at its own θ. So all samples share one space of conjugate directions: each round
adds the leading directions of all residuals, and every sample takes its own Galerkin step H(θ)⁻¹f in the whole space.
The energies are those of Expansion.newton, to second order. Reference for block conjugate gradients: O'Leary, Linear
Algebra Appl. 29, 293 (1980).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, LinearBackbone
from uqbench.properties.displacements import free_displacements
from uqbench.properties.failures import NotConvergedError
from uqbench.properties.implicit import Expansion, Newton, newton_steps
from uqbench.properties.relax import DISPLACEMENT

if TYPE_CHECKING:
    from ase import Atoms

BLOCK = 8
"""Directions a round."""
MOST_DIRECTIONS = 200
"""Each holds 24 N P bytes: 2 MB for 1,500 atoms and 55 features."""
TOLERANCE = 1e-6
"""eV, bound on what is left of a sample's relaxation energy."""
LARGEST_TABLE = 1 << 30
"""Bytes of a Hessian table P (3N - 3)² up to which tables are used: 500 atoms for 55 features, 1,700 for 5."""


def second_order(backbone: LinearBackbone, elements: tuple[str, ...], atoms: Atoms, samples: Array) -> Newton:
    """Newton steps of coefficients (n, P) from a structure at fixed cell, all displacements free.

    By tables where these take LARGEST_TABLE bytes at most, else by conjugate gradients, which see an instability
    only where it lies in the space of directions they went through. Raises NotConvergedError.
    """
    size = 3 * len(atoms) - 3
    if 8 * backbone.n_features(elements) * size**2 <= LARGEST_TABLE:
        return Expansion.about(backbone, elements, atoms, free_displacements(len(atoms))).newton(samples)
    return conjugate_newton(backbone, elements, atoms, samples)


def conjugate_newton(
    backbone: LinearBackbone,
    elements: tuple[str, ...],
    atoms: Atoms,
    samples: Array,
    tolerance: float = TOLERANCE,
    block: int = BLOCK,
) -> Newton:
    """Energies (eV), displacements and stability of coefficients (n, P), without tables.

    tolerance: bound on the error of each energy against the exact Newton step, |residual|²/(2 λ), eV, with the
    smallest Ritz value λ of the sample's Hessian. Not stable: H(θ) is not positive definite among the directions.
    Raises NotConvergedError after MOST_DIRECTIONS.
    """
    n = len(atoms)
    first = next(iter(backbone.rows([atoms], elements)))
    force_rows = first[1 : 1 + 3 * n]
    forces = samples @ force_rows.T
    directions = np.empty((0, 3 * n))
    images = np.empty((0, 3 * n, samples.shape[1]))
    steps, stable = np.zeros((len(samples), 0)), np.ones(len(samples), dtype=bool)
    residuals, left = forces, np.full(len(samples), np.inf)
    while len(directions) < MOST_DIRECTIONS:
        new = _leading(residuals[stable & (left > tolerance)], directions, block)
        if not len(new):
            break
        directions = np.concatenate([directions, new])
        images = np.concatenate([images, _hessian_rows_times(backbone, elements, atoms, new)])
        projected = np.tensordot(directions, images, (1, 1))
        hessians = np.tensordot(samples, 0.5 * (projected + projected.transpose(1, 0, 2)), (1, 2))
        steps, stable = newton_steps(hessians, forces @ directions.T)
        residuals = forces - _applied(images, steps, samples)
        softest = np.linalg.eigvalsh(hessians)[:, 0]
        left = np.where(stable, 0.5 * np.vecdot(residuals, residuals) / np.abs(softest), 0.0)
        if left.max() <= tolerance:
            break
    if left[stable].max(initial=0.0) > tolerance:
        raise NotConvergedError(
            f"{atoms.get_chemical_formula()}: conjugate gradients did not converge: {left[stable].max():.3g} eV may be "
            f"left after {len(directions)} directions; {tolerance:g} eV is asked for."
        )
    displacement = steps @ directions
    energy = n * (samples @ first[0]) - 0.5 * np.vecdot(forces, displacement)
    return Newton(energy, displacement, np.zeros((len(samples), 6)), stable)


def _leading(residuals: Array, directions: Array, block: int) -> Array:
    """(k, 3N) orthonormal leading directions of residuals (n, 3N), orthogonal to those there are; k <= block."""
    for _ in range(2):  # once leaves rounding errors of what is taken away
        residuals = residuals - (residuals @ directions.T) @ directions
    if not residuals.any():
        return np.empty((0, residuals.shape[1]))
    _, sizes, found = np.linalg.svd(residuals, full_matrices=False)
    return found[:block][sizes[:block] > 1e-8 * sizes[0]]


def _hessian_rows_times(
    backbone: LinearBackbone, elements: tuple[str, ...], atoms: Atoms, directions: Array
) -> Array:
    """(k, 3N, P) rows of Hessian-vector products for directions (k, 3N), eV/Å²: 2k evaluations."""
    moved, sizes = [], DISPLACEMENT / np.abs(directions).max(axis=1)
    for direction, size in zip(directions, sizes, strict=True):
        for sign in (1.0, -1.0):
            there = atoms.copy()
            there.positions += sign * size * direction.reshape(-1, 3)
            moved.append(there)
    rows = (found[1 : 1 + 3 * len(atoms)] for found in backbone.rows(moved, elements))
    return np.array([(-next(rows) + next(rows)) / (2 * size) for size in sizes])


def _applied(images: Array, steps: Array, samples: Array) -> Array:
    """(n, 3N) H(θ) dX of each sample, from images (k, 3N, P) and steps (n, k) among them."""
    total = np.zeros((len(samples), images.shape[1]))
    for image, lengths in zip(images, steps.T, strict=True):
        total += lengths[:, None] * (samples @ image.T)
    return total
