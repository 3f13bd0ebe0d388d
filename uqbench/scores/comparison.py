"""Comparison of two methods on the same observations, and of many: paired bootstrap and Holm's adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import Score, check_clusters, percentile_score, ratio, whole_sample
from uqbench.scores.checks import labels, vectors
from uqbench.scores.jackknife import p_of_difference

PAIRED_RESAMPLES = 20_000
"""Enough that a p-value can survive Holm's adjustment over some 500 comparisons."""

BLOCK_NUMBERS = 2**21
"""Most numbers in a block of drawn clusters (16 MiB)."""


@dataclass(frozen=True)
class Difference:
    """mean(a) - mean(b), its 95 % bootstrap interval, and the two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    p_value: float


def paired_difference(a: Array, b: Array, cluster: ArrayLike, rng: Generator) -> Difference:
    """Difference of the mean scores of two methods, both taken on the same resampled clusters.

    a, b: (n,), elementwise scores (interval_score, crps_gaussian, ...) of the same observations. cluster: (n,).
    The p-value is one less the greatest level at which the percentile interval still excludes zero: twice the smaller
    share of resamples on either side of it, with the sample itself counted on that side so that p is at least
    2/20,001 (Davison & Hinkley 1997, ch. 4.4); or, where that is larger, Student's t on the jackknife over clusters.
    Equal scores give p = 1.
    Raises UqbenchError for fewer than 10 clusters, differing shapes and values that are not finite.

    >>> rng = np.random.default_rng(0)
    >>> paired_difference(np.full(20, 3.0), np.full(20, 1.0), np.arange(20), rng).value
    2.0
    """
    a, b = vectors(a=a, b=b)
    table = _cluster_sums(np.stack([a, b, np.ones(len(a))], axis=1), cluster)
    resampled = _resampled_sums(table, rng)
    draws = (resampled[:, 0] - resampled[:, 1]) / resampled[:, 2]
    score = percentile_score(draws)
    if score.low is None or score.high is None:
        raise UqbenchError("The difference is undefined on a resample; the scores are too large to sum.")
    p_value = max(bootstrap_p(draws[1:]), p_of_difference(*table.T))
    return Difference(score.value, score.low, score.high, p_value)


def bootstrap_p(differences: Array) -> float:
    """Two-sided p-value of no difference, of differences (n,) on resamples; see paired_difference."""
    beyond = min(np.count_nonzero(differences <= 0.0), np.count_nonzero(differences >= 0.0))
    return min(1.0, 2.0 * (1.0 + beyond) / (1.0 + len(differences)))


def paired_ratio(a: Array, b: Array, cluster: ArrayLike, rng: Generator) -> Score:
    """Ratio mean(a) / mean(b) on the same resampled clusters, such as an interval score to a baseline's.

    Arguments and errors as for paired_difference, and for a mean(b) of zero.

    >>> paired_ratio(np.full(20, 3.0), np.full(20, 2.0), np.arange(20), np.random.default_rng(0))
    Score(value=1.5, low=1.5, high=1.5)
    """
    a, b = vectors(a=a, b=b)
    if b.sum() == 0.0:
        raise UqbenchError("The mean of b is zero; a ratio to it is undefined.")
    resampled = _resampled_sums(_cluster_sums(np.stack([a, b], axis=1), cluster), rng)
    return percentile_score(ratio(resampled[:, 0], resampled[:, 1]))


def holm(p_values: Sequence[float] | Array) -> Array:
    """Holm's step-down adjusted p-values, in the order given: below α with family-wise error at most α.

    (Holm 1979, Scand. J. Stat. 6, 65.) p_values: (m,). Raises UqbenchError for a value outside [0, 1].

    >>> holm([0.01, 0.04, 0.03, 0.005])
    array([0.03, 0.06, 0.06, 0.02])
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0.0) & (p <= 1.0)):
        raise UqbenchError(f"p_values are {p}; probabilities in a flat list are needed.")
    ascending = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[ascending] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[ascending] = np.minimum(stepped, 1.0)
    return adjusted


def _cluster_sums(columns: Array, cluster: ArrayLike) -> Array:
    """(n_clusters, k) sums of columns (n, k) over each cluster; raises UqbenchError for fewer than 10."""
    sample = whole_sample(labels(cluster, len(columns), "cluster"))
    check_clusters(sample.counts.shape[1])
    sums = [np.bincount(sample.index, column) for column in columns.T]
    return np.stack(sums, axis=1).astype(np.float64)


def _resampled_sums(table: Array, rng: Generator) -> Array:
    """Sums (1 + PAIRED_RESAMPLES, k) of table (n_clusters, k) on the sample and on resamples of its clusters."""
    n_clusters = len(table)
    block = max(1, BLOCK_NUMBERS // n_clusters)
    drawn = [
        table[rng.integers(n_clusters, size=(min(block, PAIRED_RESAMPLES - i), n_clusters))].sum(axis=1)
        for i in range(0, PAIRED_RESAMPLES, block)
    ]
    return np.concatenate([table.sum(axis=0, keepdims=True), *drawn])
