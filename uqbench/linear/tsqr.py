"""Ridge regression by blocked QR, for rows too ill-conditioned for normal equations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uqbench.api import Array, LinearProblem
from uqbench.linear.ridge import Ridge


def refine(problem: LinearProblem, ridge: Ridge) -> Ridge:
    """The same ridge, its coefficients and covariance from a QR of the weighted rows; one pass.

    A tall QR in blocks (TSQR: Demmel, Grigori, Hoemmen & Langou, SIAM J. Sci. Comput. 34, A206 (2012)): errors
    grow as eps cond(X), not eps cond(X)². The precisions α_k and λ stay those of the evidence.
    """
    p = problem.n_features
    alpha = dict(zip(ridge.kinds, ridge.noise_precision, strict=True))
    # Columns: the scaled features, then the labels. The prior is the first block of rows.
    upper = np.zeros((p, p + 1))
    np.fill_diagonal(upper, np.sqrt(ridge.prior_precision))
    for block in problem.blocks():
        stacked = [upper]
        for kind, part in block.parts():
            weighted = np.column_stack([block.rows[part] / ridge.column_scale, block.labels[part]])
            stacked.append(np.sqrt(alpha[kind]) * weighted)
        upper = triangular(np.concatenate(stacked))
    left, singular, right = np.linalg.svd(upper[:p, :p])
    mean = right.T @ ((left.T @ upper[:p, p]) / singular) / ridge.column_scale
    refined = replace(ridge, mean=mean, eigenvalues=singular**2, eigenvectors=right.T, solver="TSQR")
    return replace(refined, **second_look(problem, refined))


def second_look(problem: LinearProblem, ridge: Ridge) -> dict[str, Array]:
    """Residuals and mean leverages straight from the rows; normal equations cancel too many digits."""
    square = dict.fromkeys(ridge.kinds, 0.0)
    leverage = dict.fromkeys(ridge.kinds, 0.0)
    for block in problem.blocks():
        for kind, part in block.parts():
            residual = block.labels[part] - block.rows[part] @ ridge.mean
            square[kind] += float(residual @ residual)
            leverage[kind] += float(ridge.arrays.squared_norms(ridge.whiten(block.rows[part])).sum())
    count = np.array([problem.counts[k] for k in ridge.kinds], dtype=float)
    return {
        "residual_rms": np.sqrt(np.array([square[k] for k in ridge.kinds]) / count),
        "mean_leverage": np.array([leverage[k] for k in ridge.kinds]) / count,
    }


def triangular(matrix: Array) -> Array:
    """R, upper triangular, of the QR decomposition of a matrix (n, p)."""
    return np.linalg.qr(matrix, mode="r")  # pyright: ignore[reportReturnType]
