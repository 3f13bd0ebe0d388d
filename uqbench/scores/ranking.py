"""Does a larger standard deviation go with a larger error? Rank correlation and what could be attained."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.checks import is_constant, require, vectors

SIMULATED_ERRORS = 1_000_000
"""Errors simulated for attainable_spearman, in 20 to 1000 draws of the whole set."""


def average_ranks(values: Array) -> Array:
    """Ranks 1..n of values (n,), ties sharing their mean rank.

    >>> average_ranks(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - 0.5 * (counts - 1))[inverse]


def spearman(abs_error: ArrayLike, std: ArrayLike) -> float | None:
    """Spearman's rank correlation of |error| and σ, both (n,); None where either is constant.

    Even perfect σ stay well below 1: read it beside attainable_spearman. Raises UqbenchError for fewer than
    three entries, negative ones, differing shapes and values that are not finite.

    >>> spearman([1.0, 2.0, 3.0], [0.1, 0.3, 0.2])
    0.5
    """
    abs_error, std = vectors(abs_error=abs_error, std=std)
    require(abs_error >= 0.0, abs_error, "abs_error", "absolute errors are needed")
    require(std >= 0.0, std, "std", "standard deviations are needed")
    if len(std) < 3:
        raise UqbenchError(f"A rank correlation of {len(std)} entries says nothing; at least 3 are needed.")
    if is_constant(abs_error) or is_constant(std):
        return None
    return float(_correlation(average_ranks(abs_error), average_ranks(std)))


def attainable_spearman(std: ArrayLike, rng: Generator) -> float | None:
    """The rank correlation that perfectly calibrated Gaussian errors would have with these σ (n,).

    Mean over simulated error sets |N(0, σ²)|; None where σ is constant. Errors as for spearman.

    >>> attainable_spearman(np.full(5, 0.1), np.random.default_rng(0)) is None
    True
    """
    (std,) = vectors(std=std)
    require(std >= 0.0, std, "std", "standard deviations are needed")
    if len(std) < 3:
        raise UqbenchError(f"A rank correlation of {len(std)} entries says nothing; at least 3 are needed.")
    if is_constant(std):
        return None
    ranks = average_ranks(std)
    draws = int(np.clip(SIMULATED_ERRORS // len(std), 20, 1000))
    simulated = [
        _correlation(average_ranks(np.abs(std * rng.standard_normal(len(std)))), ranks) for _ in range(draws)
    ]
    return float(np.mean(simulated))


def correlation_from_sums(sums: Array) -> Array:
    """Pearson correlation from sums (..., 6) of 1, x, y, x², y², xy; nan where a variance is zero.

    Centre x and y first: then the sums do not cancel.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread_x, spread_y = n * xx - x * x, n * yy - y * y
    # A smaller share of the uncentred sum is rounding.
    defined = (spread_x > 1e-12 * n * xx) & (spread_y > 1e-12 * n * yy)
    spread = np.sqrt(np.where(defined, spread_x * spread_y, 1.0))
    return np.where(defined, (n * xy - x * y) / spread, np.nan)


def _correlation(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x @ y) / np.sqrt((x @ x) * (y @ y)))
