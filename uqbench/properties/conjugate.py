"""Tables for cells too large for full ones: in the space that block conjugate gradients of all samples go through.

A Hessian-vector product is a central difference of force rows, and as these are linear in the coefficients one pair of
evaluations gives it for every sample at its own θ. So all samples share one space of conjugate directions: each round
adds the leading directions of all residuals f - H(θ) dX, and every sample takes its own Galerkin step H(θ)⁻¹f in the
whole space. What comes of it is an Expansion within these directions: steps, decrements and the gate are as always.
Reference for block conjugate gradients: O'Leary, Linear Algebra Appl. 29, 293 (1980).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uqbench.api import Array, LinearBackbone
from uqbench.properties.coordinates import Coordinates
from uqbench.properties.failures import NotConvergedError
from uqbench.properties.implicit import Expansion, newton_steps
from uqbench.properties.second_order import rest_and_slopes

BLOCK = 8
"""Directions a round."""
MOST_DIRECTIONS = 200
"""Each holds 24 N P bytes: 2 MB for 1,500 atoms and 55 features."""
TOLERANCE = 1e-6
"""eV, bound on what is left of a sample's relaxation energy."""
LARGEST_TABLE = 1 << 30
"""Bytes of a Hessian table P M² up to which full ones are used: 500 free atoms for 55 features, 1,700 for 5."""


def table_bytes(n_features: int, size: int) -> int:
    """Of the Hessian rows of M = size coordinates."""
    return 8 * n_features * size**2


def affordable_expansion(
    backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates, samples: Array
) -> Expansion:
    """Full tables where they take LARGEST_TABLE bytes at most, else those of conjugate directions.

    The latter see instabilities and decrements only as far as they lie in the space of the directions. samples:
    (n, P), all that will be asked for. Raises NotConvergedError.
    """
    if table_bytes(backbone.n_features(elements), coordinates.basis.shape[1]) <= LARGEST_TABLE:
        return Expansion.within(backbone, elements, coordinates)
    return conjugate_expansion(backbone, elements, coordinates, samples)


def conjugate_expansion(
    backbone: LinearBackbone,
    elements: tuple[str, ...],
    coordinates: Coordinates,
    samples: Array,
    tolerance: float = TOLERANCE,
    block: int = BLOCK,
) -> Expansion:
    """Tables in the directions that the Newton steps of coefficients (n, P) need.

    tolerance: bound on the error of each sample's energy against the full Newton step, |residual|²/(2 λ), eV, with the
    smallest Ritz value λ of the sample's Hessian. A sample whose H(θ) is not positive definite among the directions is
    not followed further. Raises NotConvergedError after MOST_DIRECTIONS.
    """
    energy_row, pulls, _ = rest_and_slopes(
        backbone, elements, coordinates, np.empty((0, len(coordinates.basis)))
    )
    force_rows = coordinates.basis.T @ pulls
    forces = samples @ force_rows.T
    size, n_features = force_rows.shape
    directions, images = np.empty((0, size)), np.empty((0, size, n_features))
    table = np.empty((n_features, 0, 0))
    residuals, left = forces, np.full(len(samples), np.inf)
    while left.max(initial=0.0) > tolerance and len(directions) < MOST_DIRECTIONS:
        new = _leading(residuals[left > tolerance], directions, block)
        if not len(new):
            break
        directions = np.concatenate([directions, new])
        images = np.concatenate([images, _hessian_times(backbone, elements, coordinates, new)])
        projected = np.tensordot(directions, images, (1, 1)).transpose(2, 0, 1)
        table = 0.5 * (projected + projected.transpose(0, 2, 1))
        hessians = np.tensordot(samples, table, 1)
        steps, stable = newton_steps(hessians, forces @ directions.T)
        residuals = forces - _applied(images, steps, samples)
        softest = np.linalg.eigvalsh(hessians)[:, 0]
        left = np.where(stable, 0.5 * np.vecdot(residuals, residuals) / np.abs(softest), 0.0)
    if left.max(initial=0.0) > tolerance:
        raise NotConvergedError(
            f"{coordinates.atoms.get_chemical_formula()}: conjugate gradients did not converge: {left.max():.3g} eV "
            f"may be left after {len(directions)} directions; {tolerance:g} eV is asked for."
        )
    spanned = replace(coordinates, basis=coordinates.basis @ directions.T)
    return Expansion(backbone, elements, spanned, energy_row, directions @ force_rows, table)


def _leading(residuals: Array, directions: Array, block: int) -> Array:
    """(k, M) orthonormal leading directions of residuals (n, M), orthogonal to those there are; k <= block."""
    for _ in range(2):  # once leaves rounding errors of what is taken away
        residuals = residuals - (residuals @ directions.T) @ directions
    if not residuals.any():
        return np.empty((0, residuals.shape[1]))
    _, sizes, found = np.linalg.svd(residuals, full_matrices=False)
    return found[:block][sizes[:block] > 1e-8 * sizes[0]]


def _hessian_times(
    backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates, directions: Array
) -> Array:
    """(k, M, P) rows of Hessian-vector products for directions (k, M), eV/Å²: 2k + 1 evaluations."""
    shifts = directions @ coordinates.basis.T
    # A direction that all atoms share is given a step in which each of them moves enough.
    lengths = np.abs(shifts).max(axis=1)
    _, _, slopes = rest_and_slopes(backbone, elements, coordinates, shifts / lengths[:, None])
    return np.array(
        [-length * (coordinates.basis.T @ slope) for length, slope in zip(lengths, slopes, strict=True)]
    )


def _applied(images: Array, steps: Array, samples: Array) -> Array:
    """(n, M) H(θ) dX of each sample, from images (k, M, P) and steps (n, k) among them."""
    total = np.zeros((len(samples), images.shape[1]))
    for image, lengths in zip(images, steps.T, strict=True):
        total += lengths[:, None] * (samples @ image.T)
    return total
