"""Calibration curves and errors: is what is said at each level, in each bin and each group, what is seen?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.checks import check_std, labels, require, vectors
from uqbench.scores.gaussian import squared_z
from uqbench.scores.intervals import covered

CURVE_LEVELS = 100
"""Points of the calibration curve, evenly over [0, 1] with both ends: uncertainty-toolbox's default."""

SIGMA_BINS = 10
LEAST_PER_BIN = 10


@dataclass(frozen=True)
class GroupCoverage:
    """Coverage of a part of the observations, and how many there are."""

    coverage: float
    n: int


@dataclass(frozen=True)
class SigmaBins:
    """Coverage by bins of predicted σ, in increasing order; all (n_bins,).

    rms_std: root mean square σ. rmse: root mean square error; both in the unit of the observable.
    """

    rms_std: Array
    rmse: Array
    coverage: Array
    n: NDArray[np.int64]


def picp(intervals: Mapping[float, tuple[ArrayLike, ArrayLike]], observed: ArrayLike) -> dict[float, float]:
    """Coverage at each level of intervals {level: (lower, upper)}, all (n,); errors as for covered.

    >>> picp({0.5: ([0.0, 0.0], [1.0, 1.0])}, [0.5, 1.5])
    {0.5: 0.5}
    """
    return {level: float(np.mean(covered(*bounds, observed))) for level, bounds in intervals.items()}


def calibration_curve(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> tuple[Array, Array]:
    """Levels and the shares of observations inside the central Gaussian interval of each level.

    mean, std, observed: (n,). Returns two arrays (CURVE_LEVELS,); perfect calibration is the diagonal
    (Kuleshov, Fenner & Ermon 2018, arXiv 1807.00263). Errors as for crps_gaussian.

    >>> levels, shares = calibration_curve(np.zeros(3), np.ones(3), np.array([-0.1, 1.0, 3.0]))
    >>> float(shares[50]).__round__(6)
    0.333333
    """
    step = curve_step(mean, std, observed)
    return curve_levels(), np.cumsum(np.bincount(step, minlength=CURVE_LEVELS)) / len(step)


def miscalibration_area(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> float:
    """Area between the calibration curve (straight between its points) and the diagonal: 0 best, 1/2 worst.

    The definition of uncertainty-toolbox (interval type, 100 points; Tran et al. 2020, Mach. Learn.: Sci.
    Technol. 1, 025006). A sample of n calibrated observations has about 0.3/√n, not 0. Arguments and errors
    as for calibration_curve.

    >>> round(miscalibration_area(np.zeros(2), np.ones(2), np.array([50.0, -50.0])), 2)
    0.49
    """
    return float(curve_area(calibration_curve(mean, std, observed)[1]))


def curve_levels() -> Array:
    """The levels (CURVE_LEVELS,) of the calibration curve."""
    return np.linspace(0.0, 1.0, CURVE_LEVELS)


def curve_step(mean: ArrayLike, std: ArrayLike, observed: ArrayLike) -> NDArray[np.intp]:
    """Index (n,) of the first level whose Gaussian interval holds each observation."""
    from scipy.special import ndtri

    abs_z = np.sqrt(squared_z(mean, std, observed))
    return np.searchsorted(ndtri(0.5 + 0.5 * curve_levels()), abs_z)


def curve_area(shares: Array) -> Array:
    """Area between curves of shares (..., CURVE_LEVELS) and the diagonal; returns (...)."""
    gap = shares - curve_levels()
    left, right = gap[..., :-1], gap[..., 1:]
    size = np.abs(left) + np.abs(right)
    # Where the curve crosses the diagonal within a step, the area is that of two triangles.
    crossing = (left * left + right * right) / np.where(size > 0.0, size, 1.0)
    step = np.where(left * right < 0.0, crossing, size)
    return 0.5 * step.sum(axis=-1) / (CURVE_LEVELS - 1)


def sigma_bins(std: Array, n_bins: int = SIGMA_BINS) -> NDArray[np.intp]:
    """Bin (n,) of each σ, 0, 1, ...: as even in number as ties allow, equal σ always in one bin."""
    edges = np.quantile(std, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
    return np.unique(np.searchsorted(edges, std), return_inverse=True)[1]


def ence(mean: ArrayLike, std: ArrayLike, observed: ArrayLike, n_bins: int = SIGMA_BINS) -> float:
    """Expected normalised calibration error: mean over bins of σ of |RMSE - rms σ| / rms σ.

    (Levi, Gispan, Giladi & Fetaya 2022, Sensors 22, 5540.) Calibrated σ give about 0.56 √(n_bins / n), not 0:
    compare it at one n and n_bins only (Pernot 2023, arXiv 2305.11905). mean, std, observed: (n,). Errors as
    for crps_gaussian, and for fewer than 10 observations a bin.

    >>> round(ence(np.zeros(100), np.full(100, 2.0), np.full(100, 3.0)), 6)
    0.5
    """
    bins = ence_bins(mean, std, observed, n_bins)
    mean, std, observed = vectors(mean=mean, std=std, observed=observed)
    squared_error = np.bincount(bins, (observed - mean) ** 2)
    return float(
        ence_from_sums(squared_error.astype(np.float64), np.bincount(bins, std**2).astype(np.float64))
    )


def ence_bins(
    mean: ArrayLike, std: ArrayLike, observed: ArrayLike, n_bins: int = SIGMA_BINS
) -> NDArray[np.intp]:
    """The bins (n,) of σ for ence, after its checks."""
    mean, std, observed = vectors(mean=mean, std=std, observed=observed)
    check_std(std)
    if len(std) < LEAST_PER_BIN * n_bins:
        raise UqbenchError(
            f"ENCE of {len(std)} observations in {n_bins} bins is noise; at least {LEAST_PER_BIN} a bin, "
            f"{LEAST_PER_BIN * n_bins} in all, are needed."
        )
    return sigma_bins(std, n_bins)


def ence_from_sums(squared_error: Array, variance: Array) -> Array:
    """ENCE from sums (..., n_bins) of squared errors and variances; empty bins (variance 0) are left out."""
    filled = variance > 0.0
    ratio = np.sqrt(squared_error / np.where(filled, variance, 1.0))
    return np.where(filled, np.abs(ratio - 1.0), 0.0).sum(axis=-1) / filled.sum(axis=-1)


def coverage_by_sigma(
    lower: ArrayLike,
    upper: ArrayLike,
    observed: ArrayLike,
    mean: ArrayLike,
    std: ArrayLike,
    n_bins: int = SIGMA_BINS,
) -> SigmaBins:
    """Coverage of [lower, upper] and the error, by bins of predicted σ; all arguments (n,).

    Returns at most n_bins bins. Errors as for covered, and for a negative std.

    >>> bins = coverage_by_sigma([-1, -2], [1, 2], [0, 3], [0, 0], [1, 2], n_bins=2)
    >>> bins.coverage, bins.n
    (array([1., 0.]), array([1, 1]))
    """
    inside = covered(lower, upper, observed)
    mean, std, observed = vectors(mean=mean, std=std, observed=observed)
    require(std >= 0.0, std, "std", "standard deviations are needed")
    bins = sigma_bins(std, n_bins)
    n = np.bincount(bins)

    def average(values: Array) -> Array:
        return np.bincount(bins, values) / n

    return SigmaBins(
        np.sqrt(average(std**2)),
        np.sqrt(average((observed - mean) ** 2)),
        average(inside),
        n.astype(np.int64),
    )


def coverage_by_group(
    lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, group: ArrayLike
) -> dict[str, GroupCoverage]:
    """Coverage of [lower, upper] within each group (element, config_type), in order of their labels.

    lower, upper, observed, group: (n,). Errors as for covered.

    >>> coverage_by_group([0, 0], [1, 1], [0.5, 1.5], ["bulk", "slab"])["slab"]
    GroupCoverage(coverage=0.0, n=1)
    """
    inside = covered(lower, upper, observed)
    names, index = np.unique(labels(group, len(inside), "group"), return_inverse=True)
    n = np.bincount(index)
    coverage = np.bincount(index, inside) / n
    return {str(name): GroupCoverage(float(c), int(k)) for name, c, k in zip(names, coverage, n, strict=True)}
