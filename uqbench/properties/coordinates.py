"""Generalised coordinates of a structure: displacements at fixed cell, or displacements and strain together.

With x = (x₀ + u) F and F = I + ε symmetric: -∂E/∂u = F f and ∂E/∂ε = V sym(σ F⁻¹).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.properties.displacements import (
    TENSOR,
    WEIGHTS,
    free_displacements,
    symmetric_displacements,
    symmetric_strains,
    to_tensor,
)
from uqbench.properties.relax import Relaxation, relax
from uqbench.properties.relax_cell import relax_cell, strain_length

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Coordinates(ABC):
    """Numbers q (M,), Å, for the structures at basis q: orthonormal columns (L, M) in the space of all L shifts.

    atoms: the structure at q = 0.
    """

    atoms: Atoms
    basis: Array

    @abstractmethod
    def moved(self, shift: Array) -> Atoms:
        """The structure at shift (L,), Å."""

    @abstractmethod
    def pulls(self, shift: Array, values: Array) -> Array:
        """-∂E/∂shift (L, ...), eV/Å, from values at shift.

        values: (1 + 3N + 6, ...), energy per atom, forces and stress as LinearBackbone's rows have them (stress
        only where the cell moves): such rows, or these times coefficients.
        """

    @abstractmethod
    def parts(self, shifts: Array) -> tuple[Array, Array]:
        """Displacements u (n, 3N), Å, and strains ε (n, 6), shears twice the tensor's component, of shifts (n, L)."""

    @abstractmethod
    def relaxed(self, start: Atoms, calculator: Calculator, watch: Callable[[Atoms], None]) -> Relaxation:
        """A real relaxation of all that these coordinates may move.

        Raises NotConvergedError, and what watch raises, which sees every step.
        """

    def at(self, q: Array) -> Atoms:
        """The structure at q (M,)."""
        return self.moved(self.basis @ q)

    def forces(self, q: Array, values: Array) -> Array:
        """-∂E/∂q (M, ...), eV/Å, from values at q as pulls takes them."""
        return self.basis.T @ self.pulls(self.basis @ q, values)

    def longest(self, shifts: Array) -> Array:
        """(n,) the largest component of shifts (n, L), Å; a strain counts as what it does to neighbours."""
        displacements, strains = self.parts(shifts)
        found = np.abs(displacements).max(axis=1)
        if not strains.any():
            return found
        return np.maximum(
            found, strain_length(self.atoms) / len(self.atoms) ** 0.5 * np.abs(strains).max(axis=1)
        )


class Positions(Coordinates):
    """Displacements at fixed cell: shift = u (3N,)."""

    @classmethod
    def free(cls, atoms: Atoms) -> Positions:
        """All displacements but translations."""
        return cls(atoms, free_displacements(len(atoms)))

    @classmethod
    def symmetric(cls, atoms: Atoms) -> Positions:
        """The displacements that keep the symmetry of the structure."""
        return cls(atoms, symmetric_displacements(atoms))

    def moved(self, shift: Array) -> Atoms:
        """The structure at shift (3N,), Å."""
        copy = self.atoms.copy()
        copy.positions += shift.reshape(-1, 3)
        return copy

    def pulls(self, shift: Array, values: Array) -> Array:
        """The forces (3N, ...), eV/Å."""
        return values[1 : 1 + len(shift)]

    def parts(self, shifts: Array) -> tuple[Array, Array]:
        """The displacements themselves, and no strain."""
        return shifts, np.zeros((len(shifts), 6))

    def relaxed(self, start: Atoms, calculator: Calculator, watch: Callable[[Atoms], None]) -> Relaxation:
        """Positions relaxed at fixed cell."""
        return relax(start, calculator, watch=watch)


class PositionsAndCell(Coordinates):
    """Displacements and strain of a periodic structure: shift = (u, ℓ ε) (3N + 6,), Å.

    ε in Mandel's components (shears times √2); ℓ = √N (V/N)^(1/3), so that a shift of either kind and length moves
    neighbours alike.
    """

    @classmethod
    def free(cls, atoms: Atoms) -> PositionsAndCell:
        """All displacements but translations, and six strains."""
        return cls(atoms, _side_by_side(free_displacements(len(atoms)), np.eye(6)))

    @classmethod
    def symmetric(cls, atoms: Atoms) -> PositionsAndCell:
        """The displacements and strains that keep the symmetry of the structure."""
        return cls(atoms, _side_by_side(symmetric_displacements(atoms), symmetric_strains(atoms)))

    def moved(self, shift: Array) -> Atoms:
        """The structure at shift (3N + 6,), Å."""
        deformation = self._deformation(shift)
        copy = self.atoms.copy()
        copy.positions = (copy.positions + shift[:-6].reshape(-1, 3)) @ deformation
        copy.cell = copy.cell.array @ deformation
        return copy

    def pulls(self, shift: Array, values: Array) -> Array:
        """(3N + 6, ...): F f, and -V sym(σ F⁻¹)/ℓ in Mandel's components, eV/Å."""
        n = len(self.atoms)
        if len(values) != 1 + 3 * n + 6:
            raise UqbenchError(
                f"{self.atoms.get_chemical_formula()}: {len(values)} rows for {n} atoms hold no stress; a cell can "
                "be relaxed only where it is periodic in three directions."
            )
        deformation = self._deformation(shift)
        forces, stress = values[1 : 1 + 3 * n], to_tensor(values[1 + 3 * n :])
        turned = np.einsum("ab,nb...->na...", deformation, forces.reshape(n, 3, *values.shape[1:]))
        inner = np.einsum("ab...,bc->ac...", stress, np.linalg.inv(deformation))
        inner = 0.5 * (inner + inner.swapaxes(0, 1))[TENSOR]
        weights = WEIGHTS.reshape(6, *[1] * (values.ndim - 1))
        volume = self.atoms.get_volume() * np.linalg.det(deformation)
        return np.concatenate(
            [turned.reshape(forces.shape), -volume / strain_length(self.atoms) * weights * inner]
        )

    def parts(self, shifts: Array) -> tuple[Array, Array]:
        """Displacements (n, 3N), Å, before the strain, and strains (n, 6)."""
        return shifts[:, :-6], shifts[:, -6:] * WEIGHTS / strain_length(self.atoms)

    def relaxed(self, start: Atoms, calculator: Calculator, watch: Callable[[Atoms], None]) -> Relaxation:
        """Positions and cell relaxed."""
        return relax_cell(start, calculator, watch=watch)

    def _deformation(self, shift: Array) -> Array:
        """F (3, 3)."""
        return np.eye(3) + to_tensor(shift[-6:] / WEIGHTS / strain_length(self.atoms))


def _side_by_side(displacements: Array, strains: Array) -> Array:
    """(3N + 6, M) columns of the one and of the other."""
    from scipy.linalg import block_diag

    return np.asarray(block_diag(displacements, strains), dtype=np.float64)
