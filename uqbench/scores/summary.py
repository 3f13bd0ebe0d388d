"""All scores of one kind of observable at once, with intervals from one set of cluster resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import (
    LEAST_CLUSTERS,
    Resamples,
    Score,
    draw_resamples,
    percentile_score,
    ratio,
    whole_sample,
)
from uqbench.scores.calibrate import LEVELS
from uqbench.scores.checks import vectors
from uqbench.scores.gaussian import crps_gaussian, nll_gaussian, squared_z
from uqbench.scores.intervals import (
    covered,
    half_widths,
    interval_score,
    matched_coverage_scale,
    miss_distance,
    side_ratio,
)
from uqbench.scores.intervals import width as interval_width
from uqbench.scores.ranking import attainable_spearman, average_ranks, correlation_from_sums, spearman
from uqbench.scores.reliability import (
    CURVE_LEVELS,
    SIGMA_BINS,
    curve_area,
    curve_step,
    ence_bins,
    ence_from_sums,
)

MAIN_LEVEL = 0.95
"""Level of width_95 and interval_score_95, and the coverage that matched widths are scaled to."""


@dataclass(frozen=True)
class ScoreTable:
    """scores: by name. reasons: why a score is absent, by its name; every name is in one of the two."""

    scores: Mapping[str, Score]
    reasons: Mapping[str, str]


def score_table(
    observed: Array,
    mean: Array,
    cluster: ArrayLike,
    rng: Generator,
    *,
    std: Array | None = None,
    intervals: Mapping[float, tuple[Array, Array]] | None = None,
    stated: tuple[Array, Array, float] | None = None,
) -> ScoreTable:
    """Scores of predictions of one kind, each with its 95 % cluster-bootstrap interval.

    observed, mean, std: (n,), one unit; cluster: (n,), any labels; intervals: {level: (lower, upper)};
    stated: the method's own bounds (lower, upper) and the probability it claims for them.
    Under 10 clusters there are values and no intervals; nor is there one for a score that is undefined on
    some resample (no misses, say). A width, std or RMSE of zero ends in a reason; differing shapes and values
    that are not finite raise UqbenchError.

    Unit of the observable: rmse, mae, interval_score_95, crps. In RMSE: width_*, matched_width_* (mean width
    after the scaling to 95 % coverage), miss_stated (mean distance outside, over the misses). Without unit,
    perfect at: coverage_* its level, coverage_stated nominal_stated, zms 1, miscalibration_area and ence 0,
    spearman spearman_attainable (a simulated mean, with no interval). nll has the log of the unit. A rank
    correlation is resampled as the count-weighted correlation of the ranks in the whole sample.

    >>> table = score_table(np.array([1.0, -1.0]), np.zeros(2), [0, 1], np.random.default_rng(0))
    >>> table.scores["rmse"], table.reasons["crps"]
    (Score(value=1.0, low=None, high=None), 'The method gives no std.')
    """
    observed, mean = vectors(observed=observed, mean=mean)
    resamples = whole_sample(cluster)
    if len(resamples.index) != len(observed):
        raise UqbenchError(f"cluster has {len(resamples.index)} labels for {len(observed)} observations.")
    n_clusters = resamples.counts.shape[1]
    if n_clusters >= LEAST_CLUSTERS:
        resamples = draw_resamples(cluster, rng)
    if std is not None:
        _, std = vectors(observed=observed, std=std)
    for lower, upper, *_ in [*(intervals or {}).values(), *([stated] if stated else [])]:
        vectors(observed=observed, lower=lower, upper=upper)
    on = _Observations(observed, mean, std, resamples)

    def at(level: float) -> tuple[Array, Array]:
        if intervals is None or level not in intervals:
            raise UqbenchError(f"There is no interval at {level:.0%}.")
        return intervals[level]

    def claim() -> tuple[Array, Array, float]:
        if stated is None:
            raise UqbenchError("The method states no bounds.")
        return stated

    draws: dict[str, Callable[[], Array]] = {
        "rmse": lambda: on.rmse,
        "mae": lambda: resamples.mean(np.abs(on.error)),
        **{f"coverage_{100 * p:.0f}": lambda p=p: on.coverage(*at(p)) for p in LEVELS},
        "coverage_stated": lambda: on.coverage(*claim()[:2]),
        "miss_stated": lambda: on.miss(*claim()[:2]),
        "width_95": lambda: on.width(*at(MAIN_LEVEL)),
        "width_stated": lambda: on.width(*claim()[:2]),
        "matched_width_95": lambda: on.matched_width(*at(MAIN_LEVEL)),
        "matched_width_stated": lambda: on.matched_width(*claim()[:2]),
        "interval_score_95": lambda: resamples.mean(interval_score(*at(MAIN_LEVEL), observed, MAIN_LEVEL)),
        "crps": lambda: resamples.mean(crps_gaussian(mean, on.sigma, observed)),
        "nll": lambda: resamples.mean(nll_gaussian(mean, on.sigma, observed)),
        "zms": lambda: resamples.mean(squared_z(mean, on.sigma, observed)),
        "miscalibration_area": on.miscalibration_area,
        "ence": on.ence,
        "spearman": on.spearman,
        "spearman_attainable": partial(on.spearman_attainable, rng),
        "nominal_stated": lambda: np.array([claim()[2]]),
    }
    scores = {"n": Score(float(len(observed))), "n_clusters": Score(float(n_clusters))}
    return score_draws(scores, draws)


def score_draws(counts: Mapping[str, Score], draws: Mapping[str, Callable[[], Array]]) -> ScoreTable:
    """The counts and the score of each draw (1 + n_resamples,), or why there is none."""
    scores, reasons = dict(counts), {}
    for name, draw in draws.items():
        try:
            scores[name] = percentile_score(draw())
        except UqbenchError as error:
            reasons[name] = str(error)
    return ScoreTable(scores, reasons)


@dataclass(frozen=True)
class _Observations:
    """The scores on the sample and its resamples, each (1 + n_resamples,) as in Resamples."""

    observed: Array
    mean: Array
    std: Array | None
    resamples: Resamples

    @cached_property
    def error(self) -> Array:
        return self.observed - self.mean

    @cached_property
    def rmse(self) -> Array:
        return np.sqrt(self.resamples.mean(self.error**2))

    @cached_property
    def sigma(self) -> Array:
        if self.std is None:
            raise UqbenchError("The method gives no std.")
        return self.std

    def coverage(self, lower: Array, upper: Array) -> Array:
        return self.resamples.mean(covered(lower, upper, self.observed))

    def width(self, lower: Array, upper: Array) -> Array:
        return self._in_rmse(self.resamples.mean(interval_width(lower, upper)))

    def matched_width(self, lower: Array, upper: Array) -> Array:
        half_lower, half_upper = half_widths(self.mean, lower, upper)
        # The sample itself must allow it; a resample that does not is infinite, and gives no interval.
        matched_coverage_scale(half_lower, half_upper, self.error, MAIN_LEVEL)
        needed = side_ratio(half_lower, half_upper, self.error)
        return self.resamples.order_statistic(needed, MAIN_LEVEL) * self.width(lower, upper)

    def miss(self, lower: Array, upper: Array) -> Array:
        distance = miss_distance(lower, upper, self.observed)
        if not distance.any():
            raise UqbenchError("No observation lies outside the stated bounds.")
        missed = self.resamples.sums(np.stack([distance, np.sign(distance)], axis=1))
        return self._in_rmse(ratio(missed[:, 0], missed[:, 1]))

    def miscalibration_area(self) -> Array:
        step = curve_step(self.mean, self.sigma, self.observed)
        below = np.cumsum(self.resamples.histogram(step, CURVE_LEVELS), axis=1)
        return curve_area(below / below[:, -1:])

    def ence(self) -> Array:
        bins = ence_bins(self.mean, self.sigma, self.observed)
        squared_error = self.resamples.histogram(bins, SIGMA_BINS, self.error**2)
        return ence_from_sums(squared_error, self.resamples.histogram(bins, SIGMA_BINS, self.sigma**2))

    def spearman(self) -> Array:
        abs_error = np.abs(self.error)
        if spearman(abs_error, self.sigma) is None:
            raise UqbenchError("A rank correlation is undefined: |error| or std is constant.")
        x, y = (r - r.mean() for r in (average_ranks(abs_error), average_ranks(self.sigma)))
        return correlation_from_sums(
            self.resamples.sums(np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1))
        )

    def spearman_attainable(self, rng: Generator) -> Array:
        attainable = attainable_spearman(self.sigma, rng)
        if attainable is None:
            raise UqbenchError("A rank correlation is undefined: std is constant.")
        return np.array([attainable])

    def _in_rmse(self, draws: Array) -> Array:
        if self.rmse[0] == 0.0:
            raise UqbenchError("All errors are zero; nothing can be given in units of the RMSE.")
        return ratio(draws, self.rmse)
