"""Comparisons whose truth is known: test sets drawn anew, predictions and times with noise, some changed on purpose.

Six methods are scored on the same clusters, whose errors they share: their tests depend on each other. Clusters have
unequal sizes and heavy-tailed scales, components of a cluster go together. Before and after differ by exchangeable
noise in means and widths, by cluster and as a whole. Times have spikes, and processes heavy tails (Student's t with
four degrees of freedom).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from uqbench.compare.accuracy import COVERAGE, COVERAGE_TOLERANCE, SCORE, TOLERANCE, WIDTH, Asked, tests_of
from uqbench.compare.cost import FIT_PROCESS, RATIO_PROCESS
from uqbench.compare.findings import LEVEL, Judged, judge
from uqbench.compare.memory import memory_findings
from uqbench.compare.paired import Paired
from uqbench.compare.timing import TimedPair, Timing, timed_pair, timing_tests
from uqbench.scores.intervals import covered, interval_score, width

CELLS = 6
OVER = 5
LIMITS = {WIDTH: (TOLERANCE, None), SCORE: (TOLERANCE, None), COVERAGE: (COVERAGE_TOLERANCE, 0.95)}
RATIO, FIT = "time of a prediction / bare", "processor time of fits"


@dataclass(frozen=True)
class Effect:
    """What the change did to the first cell, which covers too little, or another: factors on its bounds and its time.

    Cell OVER covers 98 % where 95 % is claimed.
    """

    widened: float = 1.0
    slowed: float = 1.0
    cell: int = 0


def simulate(comparisons: int, n_clusters: int, effect: Effect, rng) -> list[list[Judged]]:
    """The verdicts of each comparison, as `uqbench compare` makes them; memory alarms among them as well."""
    asked = [_asked(n_clusters, effect, rng) for _ in range(comparisons)]
    scores = tests_of([a for one in asked for a in one])
    size = len(asked[0])
    found = []
    for i in range(comparisons):
        ratios = [_ratio(c, effect, rng) for c in range(CELLS)]
        fits = [_fit(c, effect, rng) for c in range(CELLS)]
        times = timing_tests(ratios, RATIO_PROCESS) + timing_tests(fits, FIT_PROCESS)
        judged = judge(scores[size * i : size * (i + 1)], LEVEL / 2) + judge(times, LEVEL / 2)
        assert not any(memory_findings("", "", *_memory(rng)) for _ in range(CELLS))
        found.append(judged)
    return found


def alarms(found: list[list[Judged]]) -> float:
    """Share of comparisons in which any difference counts, worse or better."""
    return float(np.mean([any(j.counts for j in one) for one in found]))


def alarmed(found: list[list[Judged]]) -> Counter:
    """How often each kind of test counts."""
    return Counter(j.test.what for one in found for j in one if j.counts)


def caught(found: list[list[Judged]], what: str, cell: int = 0) -> float:
    """Share of comparisons in which a cell, the first as a rule, is found worse in one respect."""
    return float(
        np.mean(
            [
                any(
                    j.counts and j.test.where == str(cell) and j.test.what == what and j.test.change > 0
                    for j in one
                )
                for one in found
            ]
        )
    )


def _asked(n_clusters: int, effect: Effect, rng) -> list[Asked]:
    sizes = 3 * rng.integers(1, 9, n_clusters)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    scale = np.exp(0.8 * rng.standard_normal(n_clusters))[cluster]
    shared = scale * (
        np.sqrt(0.3) * rng.standard_normal(n_clusters)[cluster]
        + np.sqrt(0.7) * rng.standard_normal(len(cluster))
    )
    counts = np.bincount(cluster).astype(float)
    asked = []
    for cell in range(CELLS):
        # How well a method knows the scale of an error, and how wide it makes its bounds.
        known = np.exp(0.3 * rng.standard_normal(n_clusters))[cluster] * scale
        half = (1.2 + 0.3 * cell) * known
        runs = [_run(shared, half, scale, cluster, n_clusters, rng) for _ in range(2)]
        if cell == effect.cell:
            runs[1] = (runs[1][0], runs[1][1] * effect.widened)
        sums = {what: [] for what in (WIDTH, COVERAGE, SCORE)}
        for mean, wide in runs:
            bounds = (mean - wide, mean + wide, shared)
            calibrated = (mean - 1.5 * wide, mean + 1.5 * wide, shared)
            for what, values in (
                (WIDTH, width(*bounds[:2])),
                (COVERAGE, covered(*bounds)),
                (SCORE, interval_score(*calibrated, level=0.95)),
            ):
                sums[what].append(np.bincount(cluster, values))
        asked += [Asked(str(cell), what, "", Paired(*sums[what], counts, *LIMITS[what])) for what in sums]
    return asked


def _run(shared, half, scale, cluster, n_clusters, rng):
    """Mean and half-width of one run of a method: noise by cluster of 5 %, and 1 % of the width as a whole."""
    mean = 0.1 * scale * rng.standard_normal(n_clusters)[cluster]
    return mean, half * np.exp(0.05 * rng.standard_normal(n_clusters)[cluster] + 0.01 * rng.standard_normal())


def _process(spread: float, rng) -> float:
    return float(np.exp(spread * rng.standard_t(4) / np.sqrt(2.0)))


def _repeats(n: int, rng):
    """Around 1, with one in ten held up."""
    return np.exp(0.06 * rng.standard_normal(n)) * np.where(
        rng.random(n) < 0.1, 1.0 + rng.exponential(0.3, n), 1.0
    )


def _ratio(cell: int, effect: Effect, rng) -> TimedPair:
    timings = []
    for slowed in (1.0, effect.slowed if cell == effect.cell else 1.0):
        seconds = (1.1 + 0.3 * cell) * slowed * _process(0.02, rng) * _repeats(7, rng)
        low, middle, high = np.percentile(seconds, [25, 50, 75])
        timings.append(Timing(middle, low, high, 7))
    return timed_pair(str(cell), RATIO, "", *timings)


def _fit(cell: int, effect: Effect, rng) -> TimedPair:
    folds = [2.0 * _process(0.05, rng) * _repeats(3, rng) for _ in range(2)]
    error = float(np.std(np.log(folds[1] / folds[0]), ddof=1))
    return TimedPair(str(cell), FIT, "s", folds[0].sum(), folds[1].sum(), error)


def _memory(rng):
    return 2e8 * np.exp(0.03 * rng.standard_normal(2))
