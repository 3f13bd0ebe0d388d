"""Leverages, and residuals of fits that have not seen a row or a cluster, without refitting.

All functions stream over the blocks of a problem and return one number a row, in the order of the blocks.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearProblem, RowBlock
from uqbench.errors import UqbenchError
from uqbench.linear.ridge import Ridge

LEAST_LEFT = 1e-10
"""Least 1 − αh at which the residual without a row keeps six digits."""


def leverages(problem: LinearProblem, ridge: Ridge) -> Array:
    """h_n = x_nᵀSx_n of the weighted rows, (n,); α_k h_n is the diagonal of the hat matrix, in [0, 1)."""
    return np.concatenate(
        [ridge.arrays.squared_norms(ridge.whiten(block.rows)) for block in problem.blocks()]
    )


def residuals(problem: LinearProblem, ridge: Ridge) -> Array:
    """e_n = y_n − x_nᵀm of the weighted rows and labels, (n,)."""
    return np.concatenate([block.labels - block.rows @ ridge.mean for block in problem.blocks()])


def leave_one_out_residuals(problem: LinearProblem, ridge: Ridge) -> Array:
    """e_n/(1 − α_k h_n), (n,): what each row's residual is under the fit to all other rows, same α_k and λ.

    One pass (Allen, Technometrics 16, 125 (1974)). Raises UqbenchError for a row that alone decides a direction
    of the coefficients, 1 − α_k h_n < 1e-10.
    """
    parts = []
    for block in problem.blocks():
        z, e, root = _weighted(block, ridge)
        left = 1.0 - np.vecdot(z, z)
        if left.min() < LEAST_LEFT:
            n = int(np.argmin(left))
            raise UqbenchError(
                f"training structure {block.structure[n]}: a row alone decides a direction of the coefficients "
                f"(1 - leverage is {left[n]:.1g}), so its residual without it is lost in rounding; leave it out "
                "or use a model with fewer features."
            )
        parts.append(e / left / root)
    return np.concatenate(parts)


def leave_one_cluster_out_residuals(problem: LinearProblem, ridge: Ridge) -> Array:
    """A_c^-½ (I − A_c^½ H_cc A_c^½)⁻¹ A_c^½ e_c, (n,): residuals under the fit without the row's cluster.

    H_cc = X_c S X_cᵀ, A_c the noise precisions α_k of its rows; α_k and λ are those of the fit to all rows. A
    cluster may span blocks: its rows are held from its first block to its last, so memory is that of the clusters
    that are open at once. Two passes. Raises UqbenchError for a cluster that alone decides a direction.
    """
    missing: Counter[int] = Counter()
    for block in problem.blocks():
        missing.update(block.cluster.tolist())
    without = np.empty(missing.total())
    gathered: dict[int, list[tuple[NDArray[np.int64], Array, Array, Array]]] = {}
    start = 0
    for block in problem.blocks():
        z, e, root = _weighted(block, ridge)
        for c in np.unique(block.cluster).tolist():
            mine = np.flatnonzero(block.cluster == c)
            gathered.setdefault(c, []).append((start + mine, z[mine], e[mine], root[mine]))
            missing[c] -= len(mine)
            if not missing[c]:
                where, *rest = (np.concatenate(parts) for parts in zip(*gathered.pop(c), strict=True))
                without[where] = _without(c, *rest)
        start += len(e)
    return without


def _without(cluster: int, z: Array, e: Array, root: Array) -> Array:
    """(n,) residuals of a cluster's rows, given all of them; the smaller of an n × n and a P × P system."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    few = len(z) <= z.shape[1]
    try:
        factor = cho_factor(np.eye(min(z.shape)) - (z @ z.T if few else z.T @ z))
    except LinAlgError:
        factor = None
    if factor is None or np.diag(factor[0]).min() ** 2 < LEAST_LEFT:
        raise UqbenchError(
            f"training cluster {cluster} ({len(z)} rows) alone decides a direction of the coefficients, so its "
            "residuals without it are lost in rounding; use finer clusters, more data or fewer features."
        )
    solved = cho_solve(factor, e) if few else e + z @ cho_solve(factor, z.T @ e)
    return solved / root


def _weighted(block: RowBlock, ridge: Ridge) -> tuple[Array, Array, Array]:
    """Rows whitened and residuals, both times √α_k, (b, P) and (b,), and √α_k (b,)."""
    root = np.sqrt(ridge.precisions(block))
    z = ridge.arrays.get(ridge.whiten(block.rows)) * root[:, None]
    return z, (block.labels - block.rows @ ridge.mean) * root, root
