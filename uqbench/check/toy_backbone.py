"""A pair potential small enough for a check: exact rows of energy, forces and stress in NumPy alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearBackbone
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class ToyPairs(LinearBackbone):
    """E = Σ_i θ_{s(i)} + Σ_{i<j} Σ_k θ_{s(i)s(j),k} (1 - r_ij/r_c)^(k+3), k = 0 ... n_radial - 1.

    Columns: a constant an element, then the radial functions of each unordered pair of elements.
    cutoff: r_c, Å; the potential is twice continuously differentiable there.
    """

    cutoff: float = 5.0
    n_radial: int = 3

    def n_features(self, elements: tuple[str, ...]) -> int:
        """Constants and radial functions: s + n_radial s(s + 1)/2 for s elements."""
        s = len(elements)
        return s + self.n_radial * s * (s + 1) // 2

    def rows(self, structures: Sequence[Atoms], elements: tuple[str, ...]) -> Iterator[Array]:
        """Design rows of each structure in turn; see LinearBackbone."""
        for atoms in structures:
            yield self._rows(atoms, elements)

    def _rows(self, atoms: Atoms, elements: tuple[str, ...]) -> Array:
        unseen = sorted(set(atoms.get_chemical_symbols()) - set(elements))
        if unseen:
            raise UqbenchError(f"toy backbone: no feature for {', '.join(unseen)}; elements: {elements}.")
        n, s = len(atoms), len(elements)
        species = np.array([elements.index(x) for x in atoms.get_chemical_symbols()])
        i, j, vector = directed_pairs(atoms, self.cutoff)
        r = np.linalg.norm(vector, axis=1)
        power = np.arange(3, 3 + self.n_radial)
        inside = (1.0 - r / self.cutoff)[:, None]
        value, slope = inside**power, -power / self.cutoff * inside ** (power - 1)
        low, high = np.minimum(species[i], species[j]), np.maximum(species[i], species[j])
        # Unordered pairs (low, high) numbered row by row of the upper triangle.
        column = s + self.n_radial * (low * s - low * (low - 1) // 2 + high - low)
        columns = column[:, None] + np.arange(self.n_radial)

        design = np.zeros((1 + 3 * n + 6, self.n_features(elements)))
        np.add.at(design[0], species, 1.0 / n)
        np.add.at(design[0], columns, 0.5 * value / n)
        for a in range(3):
            np.add.at(design, ((1 + 3 * i + a)[:, None], columns), slope * (vector[:, a] / r)[:, None])
        if not atoms.pbc.all():
            return design[: 1 + 3 * n]
        for v, (a, b) in enumerate(VOIGT):
            strain = 0.5 * vector[:, a] * vector[:, b] / r / atoms.get_volume()
            np.add.at(design[1 + 3 * n + v], columns, slope * strain[:, None])
        return design

    def potential(self, coefficients: Array, elements: tuple[str, ...]) -> Calculator:
        """An ASE calculator from rows times coefficients (P,)."""
        from uqbench.backbones.whole_calculator import WholeCalculator

        def results(atoms: Atoms) -> dict[str, float | Array]:
            values = self._rows(atoms, elements) @ coefficients
            n = len(atoms)
            energy = n * float(values[0])
            found = {"energy": energy, "free_energy": energy, "forces": values[1 : 1 + 3 * n].reshape(n, 3)}
            return found | ({"stress": values[1 + 3 * n :]} if len(values) > 1 + 3 * n else {})

        class _Toy(WholeCalculator):
            def compute(self, structure: Atoms) -> dict[str, float | Array]:
                return results(structure)

        return _Toy()


def directed_pairs(atoms: Atoms, cutoff: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Atoms i, j and vectors r_j - r_i (n, 3) of all pairs closer than the cutoff, each in both directions.

    All periodic images within reach are gone through: right for any cell, and slow for many atoms.
    """
    cell = atoms.cell.complete().array
    heights = abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    positions = atoms.positions
    # Atoms need not lie inside the cell, so their own spread adds to the reach.
    spread = np.ptp(positions @ np.linalg.inv(cell), axis=0)
    reach = np.where(atoms.pbc, np.ceil(cutoff / heights + spread), 0).astype(int)
    images = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach)))) @ cell
    vectors = (positions[None, :] - positions[:, None])[:, :, None] + images
    distance = np.linalg.norm(vectors, axis=-1)
    i, j, image = np.nonzero((distance < cutoff) & (distance > 1e-8))
    return i, j, vectors[i, j, image]
