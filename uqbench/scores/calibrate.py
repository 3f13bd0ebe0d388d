"""Calibration, one rule for all methods: σ_cal = a σ + c by least CRPS, then one conformal factor a level.

Fitted on calibration clusters that no method has seen. Half-width at a level = factor · z(level) · σ_cal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uqbench.api import Array, Prediction
from uqbench.errors import UqbenchError
from uqbench.normal_quantile import normal_quantile
from uqbench.scores.checks import check_level, is_constant, labels, order, require, vectors
from uqbench.scores.intervals import half_widths, side_ratio

LEVELS = (0.50, 0.68, 0.90, 0.95)

HALVED_CLUSTERS = 200
"""From here on (a, c) and the factors are fitted on separate halves of the clusters."""


@dataclass(frozen=True)
class CalibratedIntervals:
    """A calibrated prediction of n observables of one kind, in the unit of that kind.

    std: (n,). intervals: {level: (lower, upper)} from the factors over all observations, the attainable
    levels only. cluster_intervals: the same from the factors that weigh clusters equally.
    """

    std: Array
    intervals: Mapping[float, tuple[Array, Array]]
    cluster_intervals: Mapping[float, tuple[Array, Array]]


@dataclass(frozen=True)
class Calibration:
    """The fitted calibration of one kind of observable.

    a, c: σ_cal = a σ + c; c in the unit of the observable.
    factors: conformal factor by level over all observations, None where not attainable.
    cluster_factors: the same with clusters weighed equally (cluster_conformal_factor).
    n, n_clusters: observations and clusters given. halved: whether (a, c) and the factors were fitted on
    separate halves of the clusters; only then does a finite-sample guarantee hold, that of the cluster_factors for
    an observation of a new cluster. The factors have none: observations of one cluster are not exchangeable.
    """

    a: float
    c: float
    factors: Mapping[float, float | None]
    cluster_factors: Mapping[float, float | None]
    n: int
    n_clusters: int
    halved: bool

    def apply(self, prediction: Prediction) -> CalibratedIntervals:
        """Calibrated σ and intervals of a prediction (n,) of the kind that was fitted.

        Raises UqbenchError if the prediction has neither std nor bounds, or a calibrated σ is zero.
        """
        lower, upper = self.scaled(prediction)

        def intervals(factors: Mapping[float, float | None]) -> dict[float, tuple[Array, Array]]:
            half = {level: f * normal_quantile(level) for level, f in factors.items() if f is not None}
            return {p: (prediction.mean - h * lower, prediction.mean + h * upper) for p, h in half.items()}

        return CalibratedIntervals(
            0.5 * (lower + upper), intervals(self.factors), intervals(self.cluster_factors)
        )

    def scaled(self, prediction: Prediction) -> tuple[Array, Array]:
        """σ_cal (n,) below and above the mean, before any conformal factor; errors as for apply."""
        lower, upper = (self.a * scale + self.c for scale in _scales(prediction))
        std = 0.5 * (lower + upper)
        require(std > 0.0, std, "calibrated std", "positive ones are needed, and the fitted c is 0")
        return lower, upper


def fit_calibration(
    prediction: Prediction, observed: Array, cluster: ArrayLike, levels: tuple[float, ...] = LEVELS
) -> Calibration:
    """Fit (a, c) and the conformal factors on n observations of one kind.

    σ is prediction.std. Where bounds alone are stated, both half-widths take its place, scaled by the same a
    and c but each on its own side; (a, c) are fitted to their mean, and σ_cal is the mean of the two.
    observed, cluster: (n,). From 200 clusters on, every other cluster gives (a, c), the rest the factors.
    Raises UqbenchError as fit_scale does, and if the prediction has neither std nor bounds.
    """
    observed, mean = vectors(observed=observed, mean=prediction.mean)
    error = observed - mean
    group = np.unique(labels(cluster, len(error), "cluster"), return_inverse=True)[1]
    n_clusters = int(group.max()) + 1
    halved = n_clusters >= HALVED_CLUSTERS
    scale_part = group % 2 == 0 if halved else np.ones(len(error), dtype=bool)
    factor_part = ~scale_part if halved else scale_part

    lower, upper = _scales(prediction)
    a, c = fit_scale(error[scale_part], 0.5 * (lower + upper)[scale_part])
    half = [(a * side + c)[factor_part] for side in (lower, upper)]
    factors: dict[float, float | None] = {}
    cluster_factors: dict[float, float | None] = {}
    for level in sorted(levels):
        check_level(level)
        bounds = (normal_quantile(level) * half[0], normal_quantile(level) * half[1])
        factors[level] = conformal_factor(error[factor_part], *bounds, level)
        cluster_factors[level] = cluster_conformal_factor(
            error[factor_part], *bounds, group[factor_part], level
        )
    return Calibration(a, c, factors, cluster_factors, len(error), n_clusters, halved)


def fit_scale(error: ArrayLike, std: ArrayLike) -> tuple[float, float]:
    """(a, c), both >= 0, with the least mean CRPS of N(0, (a std + c)²) on the errors.

    error, std: (n,), one unit. The problem is convex. c = 0 where std is constant. a has no unit, c that of
    the error: results do not depend on the unit. A std of zero is fine if c > 0 comes out.
    (CRPS as a fitting criterion: Gneiting et al. 2005, Mon. Weather Rev. 133, 1098.)
    Raises UqbenchError for negative or all-zero std, errors that are all zero, a σ_cal of zero, differing
    shapes and values that are not finite.

    >>> a, c = fit_scale(np.array([-2.0, 2.0]), np.array([1.0, 1.0]))
    >>> round(a, 3), c
    (2.402, 0.0)
    """
    from scipy.optimize import minimize

    error, std = vectors(error=error, std=std)
    require(std >= 0.0, std, "std", "standard deviations are needed")
    typical_error, typical_std = float(np.abs(error).mean()), float(std.mean())
    if typical_std == 0.0 or typical_error == 0.0:
        raise UqbenchError(
            f"Nothing to calibrate: all {len(std)} "
            + ("std" if typical_std == 0.0 else "errors")
            + " are zero."
        )
    e, s = error / typical_error, std / typical_std
    fitted = minimize(
        _mean_crps,
        np.array([0.6, 0.0 if is_constant(std) else 0.6]),
        args=(e, s),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None), (0.0, 0.0 if is_constant(std) else None)],
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    a, c = float(fitted.x[0]) * typical_error / typical_std, float(fitted.x[1]) * typical_error
    require(
        a * std + c > 0.0,
        std,
        "std",
        f"the calibrated std, {a:.3g} std + {c:.3g}, must be positive: leave such entries out",
    )
    return a, c


def conformal_factor(
    error: ArrayLike, half_lower: ArrayLike, half_upper: ArrayLike, level: float
) -> float | None:
    """Split-conformal factor on half-widths: the ⌈(n + 1) level⌉-th smallest |error| / half-width.

    The half-width is the lower one where error = observed - mean is negative. With exchangeable errors the
    scaled intervals cover a new observation with probability in [level, level + 1/(n + 1)] (Lei et al. 2018,
    J. Am. Stat. Assoc. 113, 1094, theorem 2.2). None where not attainable: n < ⌈level / (1 - level)⌉, or too
    many errors fell on a side of no width. All arrays (n,); errors as for side_ratio. For half-widths
    z(level) σ the intervals are nested, as the order statistics of |error| / σ grow with the level.

    >>> conformal_factor([0.3, -0.1, 0.2], [1.0] * 3, [1.0] * 3, level=0.5)
    0.2
    >>> conformal_factor([0.3, -0.1, 0.2], [1.0] * 3, [1.0] * 3, level=0.9) is None
    True
    """
    check_level(level)
    return conformal_quantile(side_ratio(half_lower, half_upper, error), level)


def conformal_quantile(ratio: Array, level: float) -> float | None:
    """The ⌈(n + 1) level⌉-th smallest of n ratios; None where n is too small for it or it is infinite."""
    rank = int(order(level, len(ratio) + 1))
    if rank > len(ratio):
        return None
    return _finite(float(np.partition(ratio, rank - 1)[rank - 1]))


def cluster_conformal_factor(
    error: ArrayLike, half_lower: ArrayLike, half_upper: ArrayLike, cluster: ArrayLike, level: float
) -> float | None:
    """Conformal factor where clusters are exchangeable and the observations within one are not.

    Hierarchical conformal prediction (Lee, Barber & Willett 2023, arXiv 2306.06342): the quantile of the
    |error| / half-width with weight 1 / ((K + 1) n_k) on each of the n_k observations of cluster k, of K, and
    weight 1 / (K + 1) on infinity. It covers an observation drawn from a new cluster with probability at
    least level. With one observation a cluster it is conformal_factor. None where K < ⌈level / (1 - level)⌉.
    Arguments and errors as for conformal_factor; cluster: (n,), any labels.

    >>> cluster_conformal_factor([0.1, 0.1, 0.1, 5.0], [1.0] * 4, [1.0] * 4, [0, 0, 0, 1], level=0.5)
    5.0
    """
    check_level(level)
    ratio = side_ratio(half_lower, half_upper, error)
    group = np.unique(labels(cluster, len(ratio), "cluster"), return_inverse=True)[1]
    sizes = np.bincount(group)
    ascending = np.argsort(ratio)
    share = np.cumsum(1.0 / ((len(sizes) + 1) * sizes[group[ascending]]))
    rank = int(np.searchsorted(share, level - 1e-9))
    return None if rank == len(ratio) else _finite(float(ratio[ascending[rank]]))


def _finite(factor: float) -> float | None:
    return factor if math.isfinite(factor) else None


def _scales(prediction: Prediction) -> tuple[Array, Array]:
    """What a and c act on, below and above the mean: σ, or the half-widths of the stated bounds."""
    if prediction.std is not None:
        return prediction.std, prediction.std
    if prediction.lower is None or prediction.upper is None:
        raise UqbenchError("The prediction has neither std nor stated bounds; there is nothing to calibrate.")
    return half_widths(prediction.mean, prediction.lower, prediction.upper)


def _mean_crps(parameters: NDArray[np.float64], error: Array, std: Array) -> tuple[float, Array]:
    """Mean CRPS of N(0, (a std + c)²) and its gradient in (a, c); dCRPS/dσ = 2φ(z) - 1/√π."""
    from scipy.special import erf

    # Where σ reaches zero the CRPS is |error|: the floor gives that limit without dividing by zero.
    sigma = np.maximum(parameters[0] * std + parameters[1], 1e-12)
    z = error / sigma
    slope = math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z * z) - 1.0 / math.sqrt(math.pi)
    crps = error * erf(z / math.sqrt(2.0)) + sigma * slope
    return float(crps.mean()), np.array([np.mean(slope * std), slope.mean()])
