"""Automatic relevance determination: a prior precision for each feature, by evidence maximisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uqbench.linear.normal import NormalEquations
from uqbench.linear.ridge import Ridge

MAX_ITERATIONS = 500
TOLERANCE = 1e-6
PRUNED = 1e10
"""Prior precision, relative to the greatest α_k n_k, from which on a feature counts as switched off."""


def determine_relevance(normal: NormalEquations, ridge: Ridge) -> Ridge:
    """Ridge with prior precisions λ_p = γ_p/m_p², γ_p = 1 − λ_p S_pp, and α_k as without (Tipping 2001, eq. 16).

    normal: the sums that ridge, the start, was fitted to. One factorisation an update; no pass over the rows.
    """
    from scipy.linalg import cho_factor, cho_solve

    p = len(normal.column_scale)
    lam = np.full(p, float(np.max(ridge.prior_precision)))
    alpha = ridge.noise_precision.copy()
    iterations = 0
    while True:
        iterations += 1
        gram = np.tensordot(alpha, normal.gram, 1)
        covariance = cho_solve(cho_factor(gram + np.diag(lam)), np.eye(p))
        mean = covariance @ (alpha @ normal.moment)
        most = PRUNED * float((alpha * normal.count).max())
        gamma = np.maximum(1.0 - lam * np.diag(covariance), 1e-12)
        new_lam = np.minimum(gamma / np.maximum(mean**2, gamma / most), most)
        traces = np.array([np.vdot(covariance, g) for g in normal.gram])
        residual = normal.square - 2.0 * normal.moment @ mean + (normal.gram @ mean) @ mean
        residual = np.maximum(residual, 1e-12 * normal.count * (normal.square / normal.count).max())
        new_alpha = normal.precisions(alpha, traces, residual)
        # A feature on its way out changes nothing any more, however far its precision still has to go.
        active = new_lam < 1e-3 * most
        change = np.abs(np.log(new_lam / lam))[active].max(initial=0.0)
        converged = bool(max(change, np.abs(np.log(new_alpha / alpha)).max()) < TOLERANCE)
        lam, alpha = new_lam, new_alpha
        if converged or iterations == MAX_ITERATIONS:
            break
    values, vectors = np.linalg.eigh(np.tensordot(alpha, normal.gram, 1) + np.diag(lam))
    return replace(
        ridge,
        mean=mean / normal.column_scale,
        prior_precision=lam,
        noise_precision=alpha,
        noise=normal.noise(alpha, traces, residual),
        residual_rms=np.sqrt(residual / normal.count),
        mean_leverage=traces / normal.count,
        eigenvalues=np.maximum(values, float(lam.min())),
        eigenvectors=vectors,
        iterations=iterations,
        converged=converged,
    )
