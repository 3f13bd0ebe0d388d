"""Second moments of POPS corrections normalised by leverage, with and without folds of clusters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uqbench.api import Array, Kind
from uqbench.linear.folds import LeftOut


def normalised_moments(left_out: LeftOut, floor: Mapping[Kind, float]) -> Array:
    """Σ_n α_k (e_n²/h_n) z_n z_nᵀ, (K + 1, P, P): without each fold, and last of all rows.

    z = Wᵀx, h = |z|² but no less than the floor of its kind, and e are those of the fit without the fold, resp.
    of the fit to all rows; only rows outside the fold count. Weights α_k make kinds comparable. One pass.
    """
    ridge = left_out.ridge
    k, p = left_out.n_folds, len(ridge.mean)
    alpha = dict(zip(ridge.kinds, ridge.noise_precision, strict=True))
    fits = [(left_out.whitener(f), left_out.means[f]) for f in range(k)] + [(ridge.whitener, ridge.mean)]
    fits = [(ridge.arrays.put(whitener), ridge.arrays.put(mean)) for whitener, mean in fits]
    arrays = ridge.arrays
    moments = [arrays.zeros(p, p) for _ in fits]
    for block in left_out.problem.blocks():
        fold = left_out.folds(block)
        precision, least = np.empty(len(fold)), np.empty(len(fold))
        for kind, part in block.parts():
            precision[part], least[part] = alpha[kind], floor[kind]
        block_rows = arrays.put(block.rows)
        for f, (whitener, mean) in enumerate(fits):
            seen = np.flatnonzero(fold != f)
            rows = arrays.take(block_rows, seen)
            z = rows @ whitener
            leverage = np.maximum(arrays.squared_norms(z), least[seen])
            weight = precision[seen] * (block.labels[seen] - arrays.get(rows @ mean)) ** 2
            share = np.divide(weight, leverage, out=np.zeros_like(weight), where=leverage > 0)
            z *= arrays.put(np.sqrt(share))[:, None]
            moments[f] += z.T @ z
    return np.stack([arrays.get(m) for m in moments])
