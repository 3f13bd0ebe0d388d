"""Bayesian ridge regression as scikit-learn's BayesianRidge does it: what popsregression builds on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uqbench.api import KINDS, Array, Kind, LinearProblem
from uqbench.linear.ridge import Ridge
from uqbench.linear.tsqr import second_look, triangular

MAX_ITERATIONS = 300
TOLERANCE = 1e-3
"""On the sum of the absolute changes of all coefficients, in the backbone's units."""
HYPERPRIOR = 1e-6
"""Shape and rate of the gamma priors on both precisions."""


def sklearn_ridge(problem: LinearProblem) -> Ridge:
    """The fit of BayesianRidge(fit_intercept=False) with its defaults to the weighted rows of all kinds as one.

    Columns are not scaled, and all kinds share one noise precision α. Updates of Tipping 2001 (MacKay 1992) with
    γ = Σ αs²/(λ + αs²) over the singular values s of the rows: λ = (γ + 2e-6)/(mᵀm + 2e-6),
    α = (n − γ + 2e-6)/(‖y − Xm‖² + 2e-6), from λ = 1, α = 1/Var(y). A QR of the rows in blocks replaces the
    singular value decomposition of all of them. Two passes over the rows; memory P² and one number a row.
    """
    upper, labels = _qr(problem)
    p = problem.n_features
    left, singular, right = np.linalg.svd(upper[:p, :p])
    along = left.T @ upper[:p, p]
    unreachable = float(upper[p, p] ** 2)
    square = singular**2

    def coefficients(alpha: float, lam: float) -> Array:
        return right.T @ (singular * along / (square + lam / alpha))

    alpha, lam = 1.0 / (float(labels.var()) + float(np.finfo(float).eps)), 1.0
    mean = np.full(p, np.inf)
    iterations, converged = 0, False
    while not converged and iterations < MAX_ITERATIONS:
        iterations += 1
        previous, mean = mean, coefficients(alpha, lam)
        shrunk = along * (lam / alpha) / (square + lam / alpha)
        residual = unreachable + float(shrunk @ shrunk)
        gamma = float(np.sum(alpha * square / (lam + alpha * square)))
        lam = (gamma + 2 * HYPERPRIOR) / (float(mean @ mean) + 2 * HYPERPRIOR)
        alpha = (len(labels) - gamma + 2 * HYPERPRIOR) / (residual + 2 * HYPERPRIOR)
        converged = float(np.abs(previous - mean).sum()) < TOLERANCE
    kinds: tuple[Kind, ...] = tuple(k for k in KINDS if problem.counts.get(k))
    unknown = np.full(len(kinds), np.nan)
    ridge = Ridge(
        kinds=kinds,
        mean=coefficients(alpha, lam),
        prior_precision=lam,
        noise_precision=np.full(len(kinds), alpha),
        noise=np.full(len(kinds), alpha**-0.5),
        residual_rms=unknown,
        mean_leverage=unknown,
        eigenvalues=lam + alpha * square,
        eigenvectors=right.T,
        column_scale=np.ones(p),
        solver="TSQR",
        iterations=iterations,
        converged=converged,
        weights="stated",
        device=problem.device,
    )
    return replace(ridge, **second_look(problem, ridge))


def _qr(problem: LinearProblem) -> tuple[Array, Array]:
    """R (P + 1, P + 1) of the QR decomposition of [rows, labels], and the labels (n,)."""
    width = problem.n_features + 1
    upper, labels = np.zeros((width, width)), []
    for block in problem.blocks():
        upper = triangular(np.concatenate([upper, np.column_stack([block.rows, block.labels])]))
        labels.append(block.labels)
    return upper, np.concatenate(labels)
