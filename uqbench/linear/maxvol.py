"""The active set of a linear model: as many training rows as coefficients, chosen for the volume they span."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearProblem, RowBlock
from uqbench.linear.arrays import Device
from uqbench.linear.ridge import Ridge

TOLERANCE = 1.01
"""A row replaces an active one where the volume grows by more than this factor."""
EMPTY = 1e-6
"""Length of the unit vectors that the set starts from, where hat-matrix leverages have lengths up to 1."""
MOST_PASSES = 20


def active_inverse(
    problem: LinearProblem, ridge: Ridge, seen: Callable[[RowBlock], NDArray[np.bool_]]
) -> tuple[Array, bool]:
    """A⁻¹ (P, P), A the active rows, whitened and weighted, and whether a pass over the rows changed nothing any more.

    If so |x√α W A⁻¹| is at most TOLERANCE for every row seen; after MOST_PASSES some may lie beyond. MaxVol (Goreinov
    et al., in Matrix Methods: Theory, Algorithms, Applications (2010), 247), block by block. Directions that no row
    reaches keep a vector of length EMPTY, so that any prediction along them counts as far outside. seen(block): which
    of its rows may be chosen, (b,).
    """
    arrays = ridge.arrays
    xp, p = arrays.xp, problem.n_features
    active = EMPTY * np.eye(p)
    inverse: Array = np.eye(p) / EMPTY
    for _ in range(MOST_PASSES):
        changed = False
        for block in problem.blocks():
            chosen = np.flatnonzero(seen(block))
            if not len(chosen):
                continue
            rows = arrays.take(weighted(block, ridge), chosen)
            shares = rows @ arrays.put(inverse)
            swapped = False
            while True:
                at = int(xp.argmax(xp.abs(shares)))
                i, j = divmod(at, p)
                pivot = float(shares[i, j])
                if abs(pivot) <= TOLERANCE:
                    break
                active[j] = arrays.get(rows[i])
                change = arrays.get(shares[i]).copy()
                change[j] -= 1.0
                shares = shares - shares[:, j : j + 1] * arrays.put(change / pivot)[None, :]
                swapped = True
            if swapped:
                inverse, changed = np.asarray(np.linalg.inv(active), dtype=np.float64), True
        if not changed:
            return inverse, True
    return inverse, False


def weighted(block: RowBlock, ridge: Ridge) -> Device:
    """Rows whitened, times √α of their kind, (b, P): their squared lengths are hat-matrix leverages."""
    return ridge.whiten(block.rows) * ridge.arrays.put(np.sqrt(ridge.precisions(block)))[:, None]
