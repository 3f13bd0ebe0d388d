"""Rows of a property that is linear in the coefficients, as Chebyshev series in the lattice constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array
from uqbench.properties.crystal import Crystal

NODES = 9
"""A perfect crystal's energy is then right to 0.2 meV over ± 2 % of a, over ± 1 % to rounding; five leave 1.4 meV."""


@dataclass(frozen=True)
class RowsInA:
    """coefficients: (NODES, P) on low <= a <= high, Å."""

    low: float
    high: float
    coefficients: Array

    @classmethod
    def about(
        cls, rows: Callable[[Sequence[Crystal]], Array], crystal: Crystal, low: float, high: float
    ) -> RowsInA:
        """rows: gives (n, P) of n crystals, here the one given at NODES lattice constants."""
        x = np.polynomial.chebyshev.chebpts1(NODES)
        nodes = rows([crystal.at(float(a)) for a in 0.5 * (low + high + x * (high - low))])
        return cls(low, high, series(x, nodes))

    def values(self, samples: Array, a: Array) -> Array:
        """(n,) of coefficients (n, P) at lattice constants (n,), Å."""
        x = (2 * a - self.low - self.high) / (self.high - self.low)
        return np.vecdot(np.polynomial.chebyshev.chebvander(x, NODES - 1), samples @ self.coefficients.T)


def series(x: Array, values: Array) -> Array:
    """Chebyshev coefficients of values (n, ...) at n nodes on [-1, 1]."""
    vander = np.polynomial.chebyshev.chebvander(x, len(x) - 1)
    return np.tensordot(np.linalg.inv(vander), values, 1)
