"""Scores of simulation results over a panel of materials, each result beside its one reference.

A material has few properties and they share one fit, so the material is the cluster. A result that does not exist is
"no answer": it is counted, and what is scored is conditional on answers, or takes them for misses where it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import (
    LEAST_CLUSTERS,
    Resamples,
    Score,
    draw_resamples,
    whole_sample,
)
from uqbench.scores.calibrate import LEVELS
from uqbench.scores.checks import labels, require
from uqbench.scores.intervals import interval_score
from uqbench.scores.summary import MAIN_LEVEL, ScoreTable, score_draws

MOST_FAILING = 1.0 - MAIN_LEVEL
"""Share of samples without the property beyond which there is no answer: a 95 % interval may leave out no more."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Panel:
    """n results of one method (property × material × seed), each in its own unit.

    material: (n,), any labels. value, lower, upper: (n,), nan where there is none. intervals: {level: (lower, upper)},
    nan where there is none. reference: (n,). reference_error: (n,), nan where it is not known. failing: (n,), share
    of the samples that do not have the property, nan where there are no samples because nothing was computed.

    Raises UqbenchError for shapes that differ, references that are not finite, negative errors of references and
    shares outside [0, 1].
    """

    material: ArrayLike
    value: Array
    lower: Array
    upper: Array
    intervals: Mapping[float, tuple[Array, Array]]
    reference: Array
    reference_error: Array
    failing: Array

    def __post_init__(self) -> None:
        n = len(self.value)
        if n == 0:
            raise UqbenchError("a panel is empty; a score needs at least one result.")
        given = {
            "material": self.material,
            "value": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "reference": self.reference,
            "reference_error": self.reference_error,
            "failing": self.failing,
        }
        for level, (lower, upper) in self.intervals.items():
            given |= {f"lower at {level:.0%}": lower, f"upper at {level:.0%}": upper}
        for name, values in given.items():
            labels(values, n, name)
        require(np.isfinite(self.reference), self.reference, "reference", "finite numbers are needed")
        require(~(self.reference_error < 0.0), self.reference_error, "reference_error", "none is negative")
        require(~((self.failing < 0.0) | (self.failing > 1.0)), self.failing, "failing", "a share is needed")

    @cached_property
    def answered(self) -> Mask:
        """(n,) where there is a value with a spread that at least 95 % of the samples speak for."""
        enough = self.failing <= MOST_FAILING + 1e-12
        return np.isfinite(self.value) & _positive(self.lower, self.upper) & enough


def panel_table(panel: Panel, seed: int) -> ScoreTable:
    """Scores of a panel, each with its 95 % bootstrap interval over materials; under ten there are only values.

    n, n_answers, n_materials, and failing, the mean share of samples without the property. coverage_stated and
    coverage_50 … coverage_95: share of answers whose reference is inside; *_with_error: inside bounds that are
    widened on each side by the reference's error, where it is known; *_of_all: an answer that is missing is a miss.
    width_over_reference, width_over_error: medians of the 95 % interval's width over |reference| and |error|.
    error_over_width: median of |error| over the width of the stated bounds. interval_score_95: mean of Winkler's score
    over |reference|. A median of an even number is the lower one. The same seed draws the same materials for every
    method.

    >>> two = np.array([1.0, 2.0])
    >>> bounds = (two - 0.5, two + 0.5)
    >>> nothing = np.zeros(2)
    >>> table = panel_table(Panel(["a", "b"], two, *bounds, {0.95: bounds}, two + [0.2, 0.6], nothing, nothing), 0)
    >>> table.scores["coverage_95"]
    Score(value=0.5, low=None, high=None)
    """
    results = _Results(panel, seed)
    n_answers = float(panel.answered.sum())
    scores = {
        "n": Score(float(len(panel.value))),
        "n_answers": Score(n_answers),
        "n_materials": Score(float(len(np.unique(np.asarray(panel.material))))),
    }
    draws: dict[str, Callable[[], Array]] = {"failing": results.failing}
    for name, level in [("stated", None), *((f"{100 * p:.0f}", p) for p in LEVELS)]:
        draws[f"coverage_{name}"] = lambda p=level: results.coverage(p)
        draws[f"coverage_{name}_with_error"] = lambda p=level: results.coverage(p, with_error=True)
        draws[f"coverage_{name}_of_all"] = lambda p=level: results.coverage(p, of_all=True)
    draws["coverage_stated_with_error_of_all"] = lambda: results.coverage(None, with_error=True, of_all=True)
    draws["width_over_reference"] = lambda: results.median_width(panel.reference)
    draws["width_over_error"] = lambda: results.median_width(panel.value - panel.reference)
    draws["error_over_width"] = results.error_over_width
    draws["interval_score_95"] = results.interval_score
    return score_draws(scores, draws)


@dataclass(frozen=True)
class _Results:
    """Scores on a panel and its resamples, each (1 + n_resamples,) as in Resamples."""

    panel: Panel
    seed: int
    drawn: dict[bytes, Resamples] = field(default_factory=dict)

    def resamples(self, mask: Mask) -> Resamples:
        """Of the materials of the results chosen."""
        key = mask.tobytes()
        if key not in self.drawn:
            sample = whole_sample(np.asarray(self.panel.material)[mask])
            n = sample.counts.shape[1]
            enough = n >= LEAST_CLUSTERS
            self.drawn[key] = Resamples(sample.index, _counts(n, self.seed)) if enough else sample
        return self.drawn[key]

    def mean(self, values: Array, mask: Mask) -> Array:
        return self.resamples(mask).mean(values[mask])

    def median(self, values: Array, mask: Mask) -> Array:
        return self.resamples(mask).order_statistic(values[mask], 0.5)

    def failing(self) -> Array:
        computed = np.isfinite(self.panel.failing)
        if not computed.any():
            raise UqbenchError("Nothing was computed.")
        return self.mean(self.panel.failing, computed)

    def bounds(self, level: float | None) -> tuple[Array, Array, Mask]:
        """Stated bounds (None) or those at a level, and where there are such among the answers."""
        panel = self.panel
        if level is None:
            lower, upper = panel.lower, panel.upper
        elif level in panel.intervals:
            lower, upper = panel.intervals[level]
        else:
            raise UqbenchError(f"There is no interval at {level:.0%}.")
        mask = panel.answered & _positive(lower, upper)
        if not mask.any():
            raise UqbenchError("There is no answer to score.")
        return lower, upper, mask

    def coverage(self, level: float | None, *, with_error: bool = False, of_all: bool = False) -> Array:
        lower, upper, mask = self.bounds(level)
        margin = np.nan_to_num(self.panel.reference_error) if with_error else 0.0
        reference = self.panel.reference
        inside = mask & (lower - margin <= reference) & (reference <= upper + margin)
        return self.mean(inside.astype(np.float64), np.ones_like(mask) if of_all else mask)

    def median_width(self, unit: Array) -> Array:
        lower, upper, mask = self.bounds(MAIN_LEVEL)
        return self.median(_over(upper - lower, np.abs(unit)), mask)

    def error_over_width(self) -> Array:
        lower, upper, mask = self.bounds(None)
        error = np.abs(self.panel.value - self.panel.reference)
        return self.median(_over(error, upper - lower), mask)

    def interval_score(self) -> Array:
        lower, upper, mask = self.bounds(MAIN_LEVEL)
        reference = self.panel.reference
        score = np.full(len(reference), np.nan)
        score[mask] = interval_score(lower[mask], upper[mask], reference[mask], MAIN_LEVEL)
        return self.mean(_over(score, np.abs(reference)), mask)


@lru_cache(maxsize=16)
def _counts(n_materials: int, seed: int) -> Array:
    """How often each material is drawn: drawn once, for methods and properties that share the materials."""
    counts = draw_resamples(np.arange(n_materials), np.random.default_rng(seed)).counts
    counts.setflags(write=False)
    return counts


def _positive(lower: Array, upper: Array) -> Mask:
    """(n,) where bounds are finite and have a width."""
    return np.isfinite(lower) & np.isfinite(upper) & (upper > lower)


def _over(top: Array, bottom: Array) -> Array:
    """top / bottom, infinite where bottom is zero."""
    return np.divide(top, bottom, out=np.full(len(top), np.inf), where=bottom != 0.0)
