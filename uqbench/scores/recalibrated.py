"""Interval scores of calibrated predictions as they would be with other calibration clusters.

A conformal factor is an order statistic: of 27 calibration energies the one at 95 % is the largest of 27 ratios, and
its luck is shared by all test values. A bootstrap of test clusters alone does not see it. Here the number of times that
a cluster is drawn weighs what it adds to the score where it tests, and its ratios where it calibrates; σ_cal = a σ + c
stays as it was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Prediction
from uqbench.normal_quantile import normal_quantile
from uqbench.scores.calibrate import Calibration
from uqbench.scores.checks import order
from uqbench.scores.intervals import interval_score, side_ratio

SHARES = np.concatenate([np.linspace(0.5, 0.9, 21), np.linspace(0.9, 1.0, 41)])
"""Shares of the ratios at which factors are tabulated; in between, the next greater one is taken."""


@dataclass(frozen=True)
class FoldScores:
    """One fold of a calibrated method, on one kind and part.

    tested, calibrating: numbers of the clusters (n_tested,), (n_calibrating,). sums: (n_tested, G) interval scores
    summed over each tested cluster, at G ascending factors. beyond: (n_calibrating, G) how many ratios of each
    calibration cluster are greater than each factor. sizes: (n_calibrating,) how many ratios there are.
    """

    level: float
    tested: NDArray[np.int64]
    calibrating: NDArray[np.int64]
    sums: Array
    beyond: Array
    sizes: Array

    def totals(self, times_tested: Array, times_calibrating: Array) -> Array:
        """(B,) sums of interval scores on B resamples, from how often each cluster was drawn, (B, n_tested) and
        (B, n_calibrating). Where a resample's ratios do not suffice for the level, their greatest is the factor.
        """
        n = times_calibrating @ self.sizes
        allowed = n - order(self.level, n + 1.0)
        held = times_calibrating @ self.beyond <= allowed[:, None]
        first = np.where(held.any(axis=1), held.argmax(axis=1), self.sums.shape[1] - 1)
        return np.take_along_axis(times_tested @ self.sums, first[:, None], axis=1)[:, 0]


def fold_scores(
    calibration: Calibration,
    level: float,
    calibrating: tuple[Prediction, Array, NDArray[np.int64]],
    tested: tuple[Prediction, Array, NDArray[np.int64]],
) -> FoldScores | None:
    """What totals needs: predictions, observations (n,) and clusters (n,) of a fold's calibration and test parts.

    None where the calibration has no factor at the level.
    """
    factor = calibration.factors[level]
    if factor is None:
        return None
    z = normal_quantile(level)
    prediction, observed, cluster = calibrating
    names, group = np.unique(cluster, return_inverse=True)
    kept = group % 2 == 1 if calibration.halved else np.ones(len(group), dtype=bool)
    lower, upper = calibration.scaled(prediction)
    ratio = side_ratio(z * lower, z * upper, observed - prediction.mean)[kept]
    # A factor of zero is an interval of no width, which has no score.
    usable = np.sort(ratio[np.isfinite(ratio) & (ratio > 0.0)])
    factors = np.unique([*usable[np.ceil(SHARES * (len(usable) - 1)).astype(int)], factor])
    counted = [np.bincount(group[kept], ratio > f, len(names)) for f in factors]
    beyond = np.stack(counted, axis=1).astype(np.float64)
    sizes = np.bincount(group[kept], minlength=len(names)).astype(np.float64)

    prediction, observed, cluster = tested
    own, index = np.unique(cluster, return_inverse=True)
    lower, upper = calibration.scaled(prediction)

    def summed(factor: float) -> Array:
        bounds = prediction.mean - factor * z * lower, prediction.mean + factor * z * upper
        return np.bincount(index, interval_score(*bounds, observed, level), len(own)).astype(np.float64)

    return FoldScores(level, own, names, np.stack([summed(f) for f in factors], axis=1), beyond, sizes)
