"""Scores of intervals: coverage, width, how far misses lie outside, Winkler's score, matched coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.checks import check_bounds, check_level, order, require, vectors


def covered(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike) -> Array:
    """Whether each observation lies in its closed interval, as 0 or 1; the mean is the coverage (PICP).

    All arrays (n,), in the unit of the observable; returns (n,), no unit. Raises UqbenchError for a width
    that is not positive, differing shapes and values that are not finite.
    (Khosravi et al. 2011, IEEE Trans. Neural Netw. 22, 1341.)

    >>> covered([0.0, 0.0], [2.0, 2.0], [2.0, 3.0])
    array([1., 0.])
    """
    lower, upper, observed = _intervals(lower, upper, observed)
    return ((lower <= observed) & (observed <= upper)).astype(np.float64)


def width(lower: ArrayLike, upper: ArrayLike) -> Array:
    """Width of each interval (n,), in the unit of the observable; errors as for covered.

    >>> width([0.0], [2.0])
    array([2.])
    """
    lower, upper = vectors(lower=lower, upper=upper)
    check_bounds(lower, upper)
    return upper - lower


def miss_distance(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike) -> Array:
    """How far each observation lies outside its interval; 0 inside.

    All arrays (n,), in the unit of the observable; returns (n,). Errors as for covered.

    >>> miss_distance([0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [-1.0, 1.0, 5.0])
    array([1., 0., 3.])
    """
    lower, upper, observed = _intervals(lower, upper, observed)
    return np.maximum(np.maximum(lower - observed, observed - upper), 0.0)


def interval_score(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, level: float) -> Array:
    """Winkler's interval score of central intervals; lower is better, and honest intervals minimise it.

    Width plus 2/(1 - level) times the distance by which an observation falls outside
    (Gneiting & Raftery 2007, J. Am. Stat. Assoc. 102, 359, eq. 43). All arrays (n,), in the unit of the
    observable; returns (n,). Errors as for covered, and for a level outside (0, 1).

    >>> interval_score([0.0], [2.0], [3.0], level=0.9)
    array([22.])
    """
    check_level(level)
    return width(lower, upper) + 2.0 / (1.0 - level) * miss_distance(lower, upper, observed)


def half_widths(mean: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> tuple[Array, Array]:
    """Distances (n,) from the mean to the lower and the upper bound, both (n,) and not negative.

    Raises UqbenchError where a mean lies outside its bounds by more than rounding (the slack of Prediction).

    >>> half_widths([1.0], [0.0], [4.0])
    (array([1.]), array([3.]))
    """
    mean, lower, upper = vectors(mean=mean, lower=lower, upper=upper)
    slack = 1e-9 * (1.0 + np.abs(mean))
    below, above = mean - lower, upper - mean
    require(below >= -slack, below, "mean - lower", "bounds that enclose the mean are needed")
    require(above >= -slack, above, "upper - mean", "bounds that enclose the mean are needed")
    return np.maximum(below, 0.0), np.maximum(above, 0.0)


def side_ratio(half_lower: ArrayLike, half_upper: ArrayLike, error: ArrayLike) -> Array:
    """|error| over the half-width on the side where the observation fell: at most 1 inside the interval.

    half_lower, half_upper: (n,), distances from the mean to the bounds, not negative and not both zero.
    error: (n,), observed - mean, same unit. Returns (n,), no unit; infinite where the observation fell on
    a side of no width. Raises UqbenchError for ill-posed half-widths.

    >>> side_ratio([1.0, 1.0], [2.0, 2.0], [-3.0, 3.0])
    array([3. , 1.5])
    """
    half_lower, half_upper, error = vectors(half_lower=half_lower, half_upper=half_upper, error=error)
    require(half_lower >= 0.0, half_lower, "half_lower", "half-widths that are not negative are needed")
    require(half_upper >= 0.0, half_upper, "half_upper", "half-widths that are not negative are needed")
    both = half_lower + half_upper
    require(both > 0.0, both, "interval width", "intervals of positive width are needed")
    half = np.where(error < 0.0, half_lower, half_upper)
    distance = np.abs(error)
    ratio = np.where(distance > 0.0, np.inf, 0.0)
    return np.divide(distance, half, out=ratio, where=half > 0.0)


def matched_coverage_scale(
    half_lower: ArrayLike, half_upper: ArrayLike, error: ArrayLike, level: float
) -> float:
    """The one factor on all half-widths that makes the coverage equal to level.

    The ⌈level · n⌉-th smallest side_ratio, so the coverage is exactly ⌈level · n⌉/n where there are no ties.
    Arguments as for side_ratio. Raises UqbenchError also where no factor will do, because too many
    observations fell on a side of no width.

    >>> matched_coverage_scale([1.0] * 4, [1.0] * 4, [0.5, -1.0, 2.0, 8.0], level=0.75)
    2.0
    """
    check_level(level)
    ratio = side_ratio(half_lower, half_upper, error)
    rank = int(order(level, len(ratio)))
    factor = float(np.partition(ratio, rank - 1)[rank - 1])
    if not np.isfinite(factor):
        raise UqbenchError(
            f"No factor gives {level:.0%} coverage: {int(np.isinf(ratio).sum())} of {len(ratio)} observations "
            "fell on a side of the mean where the interval has no width."
        )
    return factor


def matched_coverage_width(
    half_lower: ArrayLike, half_upper: ArrayLike, error: ArrayLike, level: float
) -> float:
    """Mean width after the scaling that makes the coverage equal to level; in the unit of the error.

    It compares the sharpness of methods that cover differently. Arguments and errors as for
    matched_coverage_scale.

    >>> matched_coverage_width([1.0] * 4, [1.0] * 4, [0.5, -1.0, 2.0, 8.0], level=0.75)
    4.0
    """
    factor = matched_coverage_scale(half_lower, half_upper, error, level)
    return factor * float(np.mean(np.asarray(half_lower) + np.asarray(half_upper)))


def _intervals(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike) -> tuple[Array, Array, Array]:
    lower, upper, observed = vectors(lower=lower, upper=upper, observed=observed)
    check_bounds(lower, upper)
    return lower, upper, observed
