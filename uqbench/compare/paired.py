"""Paired differences of many scores at once, by cluster bootstrap with Student's t behind it.

A score is a sum over clusters, taken before and after the change on the same observations: whole clusters are drawn
with replacement, for both alike. Three things the bootstrap alone gets wrong. With few clusters it is too sure of
itself (ten that agree in sign never disagree on a resample). Thousands of resamples cannot resolve the small p-values
that many tests need. And two fits with other random numbers differ by luck that all clusters share. So the p-value is
the larger of the bootstrap's and that of Student's t on the jackknife over clusters (uqbench.scores.jackknife), with
that luck, LUCK of the tolerance, in the error; where no resample lies beyond zero, t alone says how small p is.
Reference: Davison & Hinkley 1997, Bootstrap Methods and their Application, chapter 4.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import LEAST_CLUSTERS, check_clusters
from uqbench.scores.comparison import Difference, bootstrap_p
from uqbench.scores.jackknife import freedom as freedom_of
from uqbench.scores.jackknife import jackknife_variance

RESAMPLES = 5_000
INTERVAL = 0.99
SEED = 0
"""The same resamples in every comparison: the verdict on two sets of records never changes."""
LUCK = 1.0 / 3.0
"""Standard deviation of what fits differ by with other random numbers, in tolerances: 1.6 % of a width. Measured on the
embedded dataset, widths of forces: sampled POPS 0.7 %, 100 bootstrap members 1.5 %, a committee of 32 7 %."""
LUCK_FREEDOM = 30
"""Degrees of freedom of the luck: it is stated and not estimated, and not known to better than an eighth."""
TESTS_AT_ONCE = 256
COUNTS_AT_ONCE = 2**21
"""Most counts of drawn clusters in a block (16 MiB)."""


@dataclass(frozen=True)
class Paired:
    """Sums of a score over each cluster before and after, and the number of observations; all (n_clusters,).

    Without claim the change is ln(after / before), of sums that are positive. With the probability that the bounds
    claim, the sums are numbers covered, and the change is the coverage lost: signed, for on its distance from the claim
    the part above would hide the part below. tolerance: in the unit of the change.
    """

    before: Array
    after: Array
    counts: Array
    tolerance: float
    claim: float | None = None

    def values(self) -> tuple[float, float]:
        """The score itself, before and after: a mean over observations."""
        n = self.counts.sum()
        return float(self.before.sum() / n), float(self.after.sum() / n)

    def change(self, sums: Array) -> Array:
        """Change for sums (..., 3) of before, after and counts: (...)."""
        before, after, counts = np.moveaxis(sums, -1, 0)
        if self.claim is None:
            return np.log(after / before)
        return (before - after) / counts

    def error(self) -> tuple[float, float]:
        """Standard error of the change, luck included, and its degrees of freedom."""
        table = np.stack([self.before, self.after, self.counts], axis=1)
        sampling = jackknife_variance(self.change(table.sum(axis=0) - table))
        luck = (LUCK * self.tolerance) ** 2
        # Numbers covered weigh as the observations do, also where nothing is covered.
        clusters = freedom_of(table if self.claim is None else self.counts[:, None])
        freedom = (sampling + luck) ** 2 / (sampling**2 / clusters + luck**2 / LUCK_FREEDOM)
        return math.sqrt(sampling + luck), freedom


def paired_changes(tests: Sequence[Paired]) -> list[Difference]:
    """Change of each score, its 99 % bootstrap interval and two-sided p-value, in the order given.

    Raises UqbenchError for fewer than 10 clusters.
    """
    found: dict[int, Difference] = {}
    for n_clusters in {len(t.counts) for t in tests}:
        check_clusters(n_clusters)
        same = [i for i, t in enumerate(tests) if len(t.counts) == n_clusters]
        for start in range(0, len(same), TESTS_AT_ONCE):
            part = same[start : start + TESTS_AT_ONCE]
            draws = _draws([tests[i] for i in part], n_clusters)
            found |= {i: _difference(tests[i], draws[k]) for k, i in enumerate(part)}
    return [found[i] for i in range(len(tests))]


def enough_clusters(n: int) -> str:
    """Why n clusters allow no test; empty if they do."""
    return "" if n >= LEAST_CLUSTERS else f"{n} clusters, and a test needs {LEAST_CLUSTERS}"


def _draws(tests: Sequence[Paired], n_clusters: int) -> Array:
    """Changes on RESAMPLES resamples of clusters: (n_tests, RESAMPLES)."""
    rng = np.random.default_rng(SEED)
    table = np.stack([a for t in tests for a in (t.before, t.after, t.counts)], axis=1)
    block = max(1, COUNTS_AT_ONCE // n_clusters)
    equal = np.full(n_clusters, 1.0 / n_clusters)
    pieces = []
    for start in range(0, RESAMPLES, block):
        counts = rng.multinomial(n_clusters, equal, size=min(block, RESAMPLES - start)).astype(np.float64)
        sums = (counts @ table).reshape(len(counts), len(tests), 3)
        pieces.append(np.stack([t.change(sums[:, k]) for k, t in enumerate(tests)]))
    return np.concatenate(pieces, axis=1)


def _difference(test: Paired, draws: Array) -> Difference:
    from scipy.special import stdtr

    value = float(test.change(np.array([test.before.sum(), test.after.sum(), test.counts.sum()])))
    tail = 0.5 * (1.0 - INTERVAL)
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    if not np.isfinite([value, low, high]).all():
        raise UqbenchError(
            "The change of a score is undefined on a resample; a cluster's sum is not positive."
        )
    beyond = int(min(np.sum(draws <= 0.0), np.sum(draws >= 0.0)))
    error, freedom = test.error()
    by_t = float(2.0 * stdtr(freedom, -abs(value) / error))
    p = by_t if beyond == 0 else max(by_t, bootstrap_p(draws))
    return Difference(value, float(low), float(high), p)
