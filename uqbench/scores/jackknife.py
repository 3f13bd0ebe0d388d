"""Student's t on the jackknife over clusters: what keeps a cluster bootstrap of few clusters from being too sure.

A percentile bootstrap of ten clusters that agree in sign never disagrees on a resample, and Holm's adjustment over many
pairs looks for its p-values where it is worst, far out in the tail.
Reference: Davison & Hinkley 1997, Bootstrap Methods and their Application, chapter 2.7.3 (jackknife); Satterthwaite
1946, Biometrics Bull. 2, 110 (degrees of freedom of a sum of variances).
"""

from __future__ import annotations

import numpy as np

from uqbench.api import Array


def jackknife_variance(without: Array) -> float:
    """Variance of a statistic from its values (n_clusters,) without each cluster."""
    n = len(without)
    return (n - 1) / n * float(np.sum((without - without.mean()) ** 2))


def freedom(table: Array) -> float:
    """Degrees of freedom that clusters of unequal weight leave; at least 1.

    table: (n_clusters, k) sums over each cluster, none negative. A column of zeros weighs nothing.
    """
    totals = table.sum(axis=0)
    weight = (table[:, totals > 0] / totals[totals > 0]).mean(axis=1)
    return max(1.0, 1.0 / float(np.sum(weight**2)) - 1.0)


def p_of_difference(a: Array, b: Array, counts: Array) -> float:
    """Two-sided p-value that the means a.sum() / counts.sum() and b's are the same.

    a, b: (n_clusters,), sums of two scores over each cluster; counts: of observations.
    """
    from scipy.special import stdtr

    difference, n = a - b, counts.sum()
    error = jackknife_variance((difference.sum() - difference) / (n - counts)) ** 0.5
    value = abs(float(difference.sum())) / float(n)
    # Equal scores may differ by rounding.
    if value <= 1e-12 * float(np.abs(a).sum()) / float(n):
        return 1.0
    if error == 0.0:
        return 0.0
    return float(2.0 * stdtr(freedom(np.abs(np.stack([a, b, counts], axis=1))), -value / error))
