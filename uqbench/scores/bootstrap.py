"""Cluster bootstrap: whole clusters are drawn with replacement, and every score is taken anew on each draw.

Components of one structure, and structures of one trajectory, are not independent; clusters are. All scores
reduce to count-weighted sums over clusters, so that 2,000 resamples cost a matrix product.
Reference: Davison & Hinkley 1997, Bootstrap Methods and their Application, chapters 2.4 and 3.8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.checks import labels, order

RESAMPLES = 2_000
LEAST_CLUSTERS = 10
"""With fewer clusters percentile intervals are far too narrow, and none is given."""
INTERVAL = 0.95


@dataclass(frozen=True)
class Score:
    """A score and its 95 % bootstrap interval; low and high are None where none can be given."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Resamples:
    """How often each cluster was drawn. Row 0 is the sample itself, so row 0 of every result is the value.

    index: (n,), the cluster of each observation, 0 .. n_clusters - 1.
    counts: (1 + n_resamples, n_clusters); row 0 is all ones.
    """

    index: NDArray[np.intp]
    counts: Array

    def sums(self, values: Array) -> Array:
        """Count-weighted sum of values (n,) or columns (n, k): (1 + n_resamples,) or (1 + n_resamples, k)."""
        n_clusters = self.counts.shape[1]
        columns = values.reshape(len(values), -1).T
        table = np.stack([np.bincount(self.index, column, n_clusters) for column in columns], axis=1)
        return (self.counts @ table).reshape(len(self.counts), *values.shape[1:])

    def mean(self, values: Array) -> Array:
        """Mean of values (n,) on each resample, (1 + n_resamples,): sum over count, both of the resample."""
        total = self.sums(np.stack([values, np.ones(len(values))], axis=1))
        return total[:, 0] / total[:, 1]

    def histogram(self, bins: NDArray[np.intp], n_bins: int, values: Array | None = None) -> Array:
        """Sums of values (n,), or numbers of observations, by bin (n,): (1 + n_resamples, n_bins)."""
        n_clusters = self.counts.shape[1]
        table = np.bincount(self.index * n_bins + bins, values, n_clusters * n_bins)
        return self.counts @ table.reshape(n_clusters, n_bins).astype(np.float64)

    def order_statistic(self, values: Array, level: float) -> Array:
        """The ⌈level · n⌉-th smallest of values (n,) on each resample, (1 + n_resamples,); exact.

        Sorted once and cut into about √n blocks: numbers by block find the block of the order statistic on
        each resample, and only that block is counted through.
        """
        n = len(values)
        ascending = np.argsort(values)
        size = int(np.ceil(np.sqrt(n)))
        block = np.empty(n, dtype=np.intp)
        block[ascending] = np.arange(n) // size
        before = np.cumsum(self.histogram(block, (n - 1) // size + 1), axis=1)
        rank = order(level, before[:, -1])[:, None]
        found = np.sum(before < rank, axis=1)
        row = np.arange(len(self.counts))
        skipped = np.where(found > 0, before[row, found - 1], 0.0)[:, None]
        place = found[:, None] * size + np.arange(size)
        # Past the end of the last block the largest value is counted again, after the rank is reached.
        members = ascending[np.minimum(place, n - 1)]
        weight = self.counts[row[:, None], self.index[members]]
        within = np.sum(skipped + np.cumsum(weight, axis=1) < rank, axis=1)
        return values[members[row, within]]


def draw_resamples(cluster: ArrayLike, rng: Generator) -> Resamples:
    """2,000 resamples of clusters (n,); any labels.

    Raises UqbenchError for fewer than 10 clusters.
    """
    sample = whole_sample(cluster)
    n_clusters = sample.counts.shape[1]
    check_clusters(n_clusters)
    drawn = rng.multinomial(n_clusters, np.full(n_clusters, 1.0 / n_clusters), size=RESAMPLES)
    return Resamples(sample.index, np.concatenate([sample.counts, drawn.astype(np.float64)]))


def whole_sample(cluster: ArrayLike) -> Resamples:
    """The sample itself with no resamples: values without intervals, for any number of clusters (n,)."""
    array = np.asarray(cluster)
    names, index = np.unique(labels(array, array.size, "cluster"), return_inverse=True)
    if len(names) == 0:
        raise UqbenchError("cluster is empty; a score needs at least one observation.")
    return Resamples(index, np.ones((1, len(names))))


def check_clusters(n_clusters: int) -> None:
    """Raise UqbenchError if there are too few clusters for a bootstrap interval."""
    if n_clusters < LEAST_CLUSTERS:
        raise UqbenchError(
            f"{n_clusters} clusters are too few for a bootstrap interval; at least {LEAST_CLUSTERS} are needed. "
            "List the values without intervals, or score on more independent structures."
        )


def percentile_score(draws: Array) -> Score:
    """The Score of draws (1 + n_resamples,): value from row 0, percentile interval from the others.

    No interval where there are no resamples or the score is undefined (not finite) on one of them. Raises
    UqbenchError where the value itself is undefined.
    """
    value, resampled = float(draws[0]), draws[1:]
    if not np.isfinite(value):
        raise UqbenchError("The score is undefined on these observations.")
    if len(resampled) == 0 or not np.isfinite(resampled).all():
        return Score(value)
    tail = 0.5 * (1.0 - INTERVAL)
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Score(value, float(low), float(high))


def ratio(top: Array, bottom: Array) -> Array:
    """top / bottom, nan where bottom is zero: for quantities that vanish on some resamples."""
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom != 0.0)
