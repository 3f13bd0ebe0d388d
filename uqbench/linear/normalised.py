"""Second moments of POPS corrections normalised by leverage, and of whole clusters' scores, without each fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uqbench.api import Array, Kind
from uqbench.linear.folds import LeftOut

SCORES_MEMORY = 256 << 20
"""Most bytes that the scores of clusters may take; clusters are added up into groups until they do."""


def correction_moments(left_out: LeftOut, floor: Mapping[Kind, float]) -> tuple[Array, Array]:
    """Σ_n α_k (e_n²/h_n) z_n z_nᵀ, and Σ_c s_c s_cᵀ of scores s_c = Σ_n α_k e_n z_n, n in cluster c.

    Both (K + 1, P, P): without each fold, and last of all rows. z = Wᵀx, h = |z|² but no less than the floor of its
    kind, and e are those of the fit without the fold, resp. of the fit to all rows; only rows outside the fold count.
    Weights α_k make kinds comparable. The second is the middle of the cluster-robust covariance of the coefficients
    (Liang & Zeger, Biometrika 73, 13 (1986)), W(Σ s sᵀ)Wᵀ: what sampling clusters does to a wrong model. One pass.
    """
    ridge = left_out.ridge
    k, p = left_out.n_folds, len(ridge.mean)
    fits = [(left_out.whitener(f), left_out.means[f]) for f in range(k)] + [(ridge.whitener, ridge.mean)]
    fits = [(ridge.arrays.put(whitener), ridge.arrays.put(mean)) for whitener, mean in fits]
    arrays = ridge.arrays
    clusters = left_out.problem.clusters
    n_groups = min(len(clusters), max(20, SCORES_MEMORY // (8 * p * (k + 1))))
    moments = [arrays.zeros(p, p) for _ in fits]
    scores = [arrays.zeros(n_groups, p) for _ in fits]
    for block in left_out.problem.blocks():
        fold = left_out.folds(block)
        group = np.searchsorted(clusters, block.cluster) % n_groups
        precision, least = ridge.precisions(block), np.empty(len(fold))
        for kind, part in block.parts():
            least[part] = floor[kind]
        block_rows = arrays.put(block.rows)
        for f, (whitener, mean) in enumerate(fits):
            seen = np.flatnonzero(fold != f)
            rows = arrays.take(block_rows, seen)
            z = rows @ whitener
            leverage = np.maximum(arrays.squared_norms(z), least[seen])
            error = block.labels[seen] - arrays.get(rows @ mean)
            arrays.add_at(scores[f], group[seen], z * arrays.put(precision[seen] * error)[:, None])
            weight = precision[seen] * error**2
            share = np.divide(weight, leverage, out=np.zeros_like(weight), where=leverage > 0)
            z *= arrays.put(np.sqrt(share))[:, None]
            moments[f] += z.T @ z
    return np.stack([arrays.get(m) for m in moments]), np.stack([arrays.get(s.T @ s) for s in scores])
