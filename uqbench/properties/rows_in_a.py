"""Rows of a property that is linear in the coefficients, as Chebyshev series in the lattice constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array
from uqbench.properties.crystal import Crystal

NODES = 9


@dataclass(frozen=True)
class RowsInA:
    """series: (NODES, P) on low <= a <= high, Å."""

    low: float
    high: float
    series: Array

    @classmethod
    def about(cls, row: Callable[[Crystal], Array], crystal: Crystal, low: float, high: float) -> RowsInA:
        """NODES calls of row, which gives (P,) of the crystal at its lattice constant."""
        x = np.polynomial.chebyshev.chebpts1(NODES)
        nodes = np.array([row(crystal.at(float(a))) for a in 0.5 * (low + high + x * (high - low))])
        vander = np.polynomial.chebyshev.chebvander(x, NODES - 1)
        return cls(low, high, np.asarray(np.linalg.solve(vander, nodes), dtype=np.float64))

    def values(self, samples: Array, a: Array) -> Array:
        """(n,) of coefficients (n, P) at lattice constants (n,), Å."""
        x = (2 * a - self.low - self.high) / (self.high - self.low)
        return np.vecdot(np.polynomial.chebyshev.chebvander(x, NODES - 1), samples @ self.series.T)
