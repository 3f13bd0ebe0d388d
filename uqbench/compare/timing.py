"""Did times change beyond their noise? Medians of repeated runs against what repeats and processes scatter by.

Everything is in logarithms. A median of n repeats has the standard error 1.25 σ/√n, with σ from the repeats' quartiles,
which no outlier moves; a timing's own error counts where it is above the median of all, for quartiles of few repeats
are themselves uncertain. Processes differ by more than their repeats tell: by `process` at the least, and where ten or
more timings are compared at once, by what these scatter about their median, for one edit slows few of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array
from uqbench.compare.findings import Change
from uqbench.compare.paired import INTERVAL

SLOWDOWN = math.log(1.15)
"""A time that changes by less never counts: 15 %."""
LEAST_REPEATS = 3
"""With fewer there are no quartiles to speak of."""
LEAST_SCATTER = 10
"""From so many timings on, their scatter about their median is a measure of noise."""
FREEDOM = 4
"""Degrees of freedom that the quartiles of one run's repeats are worth: about those of seven."""
MEDIAN_ERROR = math.sqrt(0.5 * math.pi)
"""Standard error of a median over that of a mean, of normal repeats."""
IQR = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""
MAD = 1.4826


@dataclass(frozen=True)
class Timing:
    """Median and quartiles of repeats of one thing, of any unit, all positive."""

    median: float
    low: float
    high: float
    repeats: int

    @property
    def error(self) -> float:
        """Standard error of ln(median), from the quartiles."""
        return MEDIAN_ERROR * math.log(self.high / self.low) / IQR / math.sqrt(self.repeats)


@dataclass(frozen=True)
class TimedPair:
    """The same thing timed before and after. error: standard error of ln(after / before) from the repeats."""

    where: str
    what: str
    unit: str
    before: float
    after: float
    error: float


def timed_pair(where: str, what: str, unit: str, before: Timing, after: Timing) -> TimedPair:
    """Of two medians."""
    return TimedPair(where, what, unit, before.median, after.median, math.hypot(before.error, after.error))


def timing_tests(pairs: Sequence[TimedPair], process: float, pace: float = 1.0) -> list[Change]:
    """A test of every pair, in the order given. process: least standard deviation of ln(time) between processes.

    pace: the factor by which all times changed, which is taken out of each change.
    """
    from scipy.special import stdtr, stdtrit

    if not pairs:
        return []
    changes = np.array([math.log(p.after / p.before / pace) for p in pairs])
    errors = _errors(pairs, changes, process)
    freedom = FREEDOM * 2 * len(pairs)
    p_values = 2.0 * stdtr(freedom, -np.abs(changes) / errors)
    reach = float(stdtrit(freedom, 0.5 * (1.0 + INTERVAL))) * errors
    return [
        Change(
            pair.where,
            pair.what,
            pair.unit,
            pair.before,
            pair.after,
            float(change),
            float(change - r),
            float(change + r),
            float(p),
            SLOWDOWN,
            pace=pace,
        )
        for pair, change, r, p in zip(pairs, changes, reach, p_values, strict=True)
    ]


def _errors(pairs: Sequence[TimedPair], changes: Array, process: float) -> Array:
    """Standard error of each change of ln(time), (n_pairs,)."""
    own = np.array([p.error for p in pairs])
    variance = np.maximum(own, np.median(own)) ** 2 + 2.0 * process**2
    if len(pairs) >= LEAST_SCATTER:
        variance = np.maximum(variance, (MAD * np.median(np.abs(changes - np.median(changes)))) ** 2)
    return np.sqrt(variance)
