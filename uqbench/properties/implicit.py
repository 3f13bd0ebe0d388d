"""Implicit differentiation: relaxed energies of many parameter samples from tables at one structure.

A linear model's descriptors, forces and Hessian are all linear in θ: E(X) = θ·D(X), f = F θ, H = Σ_p θ_p H_p. From
tables of D, F and H_p at X₀, the minimum of the mean parameters, a sample's relaxation is one Newton step,
dX = H⁻¹f (so dX*/dθ = H⁻¹F), its energy θ·D - ½ f·dX with an error of third order in the shift of the minimum.
One evaluation at X₀ + dX, less the Newton decrement d = ½ f₁·H⁻¹f₁ there, is right to fifth order (fourth without
d), and d tells the error.
Reference: Maliyov, Grigorev & Swinburne, npj Comput. Mater. (2025), arXiv 2407.02414; there H is frozen at the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearBackbone
from uqbench.errors import UqbenchError
from uqbench.properties.coordinates import Coordinates, Positions
from uqbench.properties.second_order import tables

if TYPE_CHECKING:
    from ase import Atoms

CHUNK_BYTES = 64 << 20
LONGEST_STEP = 0.1
"""Å, component by component; a longer Newton step proves nothing and is not followed."""

FEW = 100
"""Coordinates up to which LAPACK uses no threads."""


@dataclass(frozen=True)
class Expansion:
    """Second-order tables of the energy about a structure, within the space that coordinates span.

    coordinates: X₀ and what may move, M numbers. energy_row: D (P,), total energy, eV. force_rows: F (M, P), eV/Å.
    hessian_rows: H_p (P, M, M), eV/Å².
    """

    backbone: LinearBackbone
    elements: tuple[str, ...]
    coordinates: Coordinates
    energy_row: Array
    force_rows: Array
    hessian_rows: Array

    @classmethod
    def about(
        cls, backbone: LinearBackbone, elements: tuple[str, ...], atoms: Atoms, basis: Array
    ) -> Expansion:
        """Tables at fixed cell within orthonormal displacements (3N, M) without translations."""
        return cls.within(backbone, elements, Positions(atoms, basis))

    @classmethod
    def within(
        cls, backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates
    ) -> Expansion:
        """Tables by central differences of rows: 2M + 1 evaluations, or fewer where symmetry helps."""
        return cls(backbone, elements, coordinates, *tables(backbone, elements, coordinates))

    @property
    def atoms(self) -> Atoms:
        """X₀."""
        return self.coordinates.atoms

    @property
    def basis(self) -> Array:
        """(3N, M) orthonormal displacements, or (3N + 6, M) with strains; see coordinates."""
        return self.coordinates.basis

    def hessian(self, theta: Array) -> Array:
        """(3N, 3N) Hessian of one set of coefficients (P,), zero outside the basis, eV/Å²; (3N + 6, 3N + 6) with
        strains."""
        return self.basis @ np.tensordot(theta, self.hessian_rows, 1) @ self.basis.T

    def newton(self, samples: Array) -> Newton:
        """No evaluation a sample: the Newton step and energy of each of (n, P) coefficients."""
        return _joined(Newton, [_newton(self, *chunk) for chunk in self._chunks(samples)])

    def corrected(self, samples: Array, short: float = 0.0) -> Corrected:
        """One evaluation of the rows a sample, at the end of its Newton step; none where that is not followed.

        short: Å; a step below it is taken for right, its energy to second order, without an evaluation.
        """
        return _joined(Corrected, [self._corrected(*chunk, short) for chunk in self._chunks(samples)])

    def _corrected(self, samples: Array, hessians: Array, short: float) -> Corrected:
        forces = samples @ self.force_rows.T
        steps, stable = newton_steps(hessians, forces)
        shifts = steps @ self.basis.T
        # Where there is no step its length is nan, and the comparisons false.
        length = self.coordinates.longest(shifts)
        energy = samples @ self.energy_row - 0.5 * np.vecdot(forces, steps)
        energy[~(length < short)] = np.nan
        decrement = np.where(length < short, 0.0, np.nan)
        chosen = np.flatnonzero((length >= short) & (length < LONGEST_STEP))
        moved = [self.coordinates.at(steps[i]) for i in chosen]
        left = np.zeros((len(chosen), steps.shape[1]))
        for k, (i, rows) in enumerate(zip(chosen, self.backbone.rows(moved, self.elements), strict=True)):
            values = rows @ samples[i]
            energy[i], left[k] = len(self.atoms) * values[0], self.coordinates.forces(steps[i], values)
        # The factors of H(θ) are not kept: factoring again costs little beside the rows.
        decrement[chosen] = 0.5 * np.vecdot(left, newton_steps(hessians[chosen], left)[0])
        energy[chosen] -= decrement[chosen]
        return Corrected(energy, decrement, *self.coordinates.parts(shifts), stable)

    def _chunks(self, samples: Array) -> Iterator[tuple[Array, Array]]:
        """Samples and their Hessians within the basis, a bounded number at a time."""
        if samples.ndim != 2 or samples.shape[1] != len(self.energy_row) or not len(samples):
            raise UqbenchError(
                f"parameter samples have shape {samples.shape}; (n, {len(self.energy_row)}) with n >= 1 is needed."
            )
        size = self.basis.shape[1]
        flat = self.hessian_rows.reshape(len(self.energy_row), size * size)
        step = max(1, CHUNK_BYTES // (8 * max(1, size * size)))
        for start in range(0, len(samples), step):
            part = samples[start : start + step]
            yield part, (part @ flat).reshape(len(part), size, size)


@dataclass(frozen=True)
class Newton:
    """energy: (n,), eV. displacement: (n, 3N), Å. strain: (n, 6), Voigt's. stable: (n,), H(θ) is positive definite.

    Displacements are those before the strain, which at fixed cell is zero. Without stability all are nan.
    """

    energy: Array
    displacement: Array
    strain: Array
    stable: NDArray[np.bool_]


@dataclass(frozen=True)
class Corrected:
    """energy: (n,), that at the end of the Newton step less the decrement, eV. displacement, strain, stable: see
    Newton.

    decrement: (n,), eV, never negative: the error estimate; 0 without an evaluation. Both are nan where H(θ) is not
    positive definite or the step is LONGEST_STEP or more.
    """

    energy: Array
    decrement: Array
    displacement: Array
    strain: Array
    stable: NDArray[np.bool_]


def newton_steps(hessians: Array, forces: Array) -> tuple[Array, NDArray[np.bool_]]:
    """H⁻¹f (n, M) for (n, M, M) and (n, M), and whether each H is positive definite; nan where it is not."""
    from scipy.linalg import get_lapack_funcs
    from threadpoolctl import threadpool_limits

    if not forces.shape[1]:  # symmetry holds every atom where it is
        return forces, np.ones(len(forces), dtype=bool)
    (posv,) = get_lapack_funcs(("posv",), (hessians,))
    steps, stable = np.full(forces.shape, np.nan), np.zeros(len(forces), dtype=bool)
    # NumPy and SciPy bring a BLAS each, and the threads of the one are in the way of the other's.
    with threadpool_limits(1, user_api="blas") if hessians.shape[1] > FEW else nullcontext():
        for i, (hessian, force) in enumerate(zip(hessians, forces, strict=True)):
            # Cholesky's factorisation finds out on its way whether a matrix is positive definite.
            _, solution, failed = posv(hessian, force)
            if not failed:
                steps[i], stable[i] = solution, True
    return steps, stable


Steps = TypeVar("Steps", Newton, Corrected)


def _joined(kind: type[Steps], parts: Sequence[Steps]) -> Steps:
    """One result from those of chunks."""
    return kind(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(kind)))


def _newton(expansion: Expansion, samples: Array, hessians: Array) -> Newton:
    forces = samples @ expansion.force_rows.T
    steps, stable = newton_steps(hessians, forces)
    energy = samples @ expansion.energy_row - 0.5 * np.vecdot(forces, steps)
    return Newton(energy, *expansion.coordinates.parts(steps @ expansion.basis.T), stable)
