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
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearBackbone
from uqbench.errors import UqbenchError
from uqbench.properties.relax import DISPLACEMENT

if TYPE_CHECKING:
    from ase import Atoms

CHUNK_BYTES = 64 << 20
LONGEST_STEP = 0.1
"""Å, component by component; a longer Newton step proves nothing and is not followed."""


@dataclass(frozen=True)
class Expansion:
    """Second-order tables of the energy about a structure, within the space that a basis spans.

    atoms: X₀. basis: (3N, M) orthonormal displacements without translations (see displacements).
    energy_row: D (P,), total energy, eV. force_rows: F (M, P), eV/Å. hessian_rows: H_p (P, M, M), eV/Å².
    """

    backbone: LinearBackbone
    elements: tuple[str, ...]
    atoms: Atoms
    basis: Array
    energy_row: Array
    force_rows: Array
    hessian_rows: Array

    @classmethod
    def about(
        cls, backbone: LinearBackbone, elements: tuple[str, ...], atoms: Atoms, basis: Array
    ) -> Expansion:
        """Tables by central differences of force rows: 2M + 1 evaluations of the rows."""
        n, size = len(atoms), basis.shape[1]
        shifts = [sign * DISPLACEMENT * column for column in basis.T for sign in (1.0, -1.0)]
        all_rows = backbone.rows([atoms, *(_moved(atoms, shift) for shift in shifts)], elements)
        first = next(all_rows)
        forces = first[1 : 1 + 3 * n]
        table = np.empty((forces.shape[1], size, size))
        for k in range(size):
            plus, minus = (next(all_rows)[1 : 1 + 3 * n] for _ in range(2))
            table[:, k] = (basis.T @ (minus - plus)).T / (2 * DISPLACEMENT)
        table = 0.5 * (table + table.transpose(0, 2, 1))
        return cls(backbone, elements, atoms, basis, n * first[0], basis.T @ forces, table)

    def hessian(self, theta: Array) -> Array:
        """(3N, 3N) Hessian of one set of coefficients (P,), zero outside the basis, eV/Å²."""
        return self.basis @ np.tensordot(theta, self.hessian_rows, 1) @ self.basis.T

    def newton(self, samples: Array) -> Newton:
        """No evaluation a sample: the Newton step and energy of each of (n, P) coefficients."""
        return _joined(Newton, [_newton(self, *chunk) for chunk in self._chunks(samples)])

    def corrected(self, samples: Array) -> Corrected:
        """One evaluation of the rows a sample, at the end of its Newton step; none where that is not followed."""
        return _joined(Corrected, [self._corrected(*chunk) for chunk in self._chunks(samples)])

    def _corrected(self, samples: Array, hessians: Array) -> Corrected:
        step = _newton(self, samples, hessians)
        energy, decrement = np.full((2, len(samples)), np.nan)
        chosen = np.flatnonzero(step.stable & (np.abs(step.displacement).max(axis=1) < LONGEST_STEP))
        moved = (_moved(self.atoms, step.displacement[i]) for i in chosen)
        for i, rows in zip(chosen, self.backbone.rows(list(moved), self.elements), strict=True):
            values = rows[: 1 + 3 * len(self.atoms)] @ samples[i]
            force = self.basis.T @ values[1:]
            # The factor of H(θ) is not kept: factoring again costs a thousandth of the rows.
            decrement[i] = 0.5 * force @ newton_steps(hessians[i : i + 1], force[None])[0][0]
            energy[i] = len(self.atoms) * values[0] - decrement[i]
        return Corrected(energy, decrement, step.displacement, step.stable)

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
    """energy: (n,), eV. displacement: (n, 3N), Å. stable: (n,), H(θ) is positive definite in the basis.

    Without stability energy and displacement are nan.
    """

    energy: Array
    displacement: Array
    stable: NDArray[np.bool_]


@dataclass(frozen=True)
class Corrected:
    """energy: (n,), that at the end of the Newton step less the decrement, eV. displacement, stable: see Newton.

    decrement: (n,), eV, never negative: the error estimate. Both are nan where H(θ) is not positive definite or
    the step is LONGEST_STEP or more.
    """

    energy: Array
    decrement: Array
    displacement: Array
    stable: NDArray[np.bool_]


def newton_steps(hessians: Array, forces: Array) -> tuple[Array, NDArray[np.bool_]]:
    """H⁻¹f (n, M) for (n, M, M) and (n, M), and whether each H is positive definite; nan where it is not."""
    from scipy.linalg import get_lapack_funcs

    if not forces.shape[1]:  # symmetry holds every atom where it is
        return forces, np.ones(len(forces), dtype=bool)
    (posv,) = get_lapack_funcs(("posv",), (hessians,))
    steps, stable = np.full(forces.shape, np.nan), np.zeros(len(forces), dtype=bool)
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
    return Newton(energy, steps @ expansion.basis.T, stable)


def _moved(atoms: Atoms, shift: Array) -> Atoms:
    copy = atoms.copy()
    copy.positions += shift.reshape(-1, 3)
    return copy
