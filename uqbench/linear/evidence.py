"""Evidence maximisation for Bayesian ridge regression with one noise precision a kind of label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uqbench.api import Array, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.normal import NormalEquations, accumulate
from uqbench.linear.ridge import Ridge
from uqbench.linear.tsqr import Factors, factorise

MAX_ITERATIONS = 1000
TOLERANCE = 1e-9
SETTLED, PATIENCE = 1e-5, 10
"""Rounding moves the updates of ill-conditioned rows by more than TOLERANCE: they have settled as well once they change
by less than SETTLED, and no less for PATIENCE iterations."""
LEAST_RESIDUAL = 1e-12
"""Least mean square of a kind's residuals, relative to the largest of labels of a kind.

It keeps the precision of an exact fit finite (as of the energies of one structure, or of fewer structures than
coefficients), and the kinds' precisions so near that their sum still resolves each.
"""
MOST_PRIOR = 1e12
"""Greatest prior precision, relative to that of the data: coefficients vanish where rows explain nothing."""
ILL_CONDITIONED = 1e9
"""Condition of S⁻¹ beyond which normal equations lose half the digits of the coefficients."""


def fit_ridge(problem: LinearProblem) -> Ridge:
    """One pass over the rows; one more, by TSQR, where the normal equations are too ill-conditioned."""
    normal = accumulate(problem)
    ridge = maximise_evidence(normal)
    if ridge.eigenvalues.max() > ILL_CONDITIONED * ridge.eigenvalues.min():
        return refine(problem, normal, ridge)
    return ridge


def maximise_evidence(normal: NormalEquations) -> Ridge:
    """Fixed-point updates of MacKay 1992: γ = P − λ tr S, λ = γ/mᵀm, α_k = (n_k − α_k tr SG_k)/‖y_k − X_k m‖².

    With one kind this is scikit-learn's BayesianRidge with flat hyper-priors; so it is with several whose weights are
    stated, on their rows as one. Raises UqbenchError if all labels are zero.
    """
    if not normal.square.any():
        raise UqbenchError("all training labels are zero: there is nothing to fit.")
    none = np.zeros(len(normal.kinds))
    alpha = normal.precisions(none, none, np.maximum(normal.square, _floor(normal)))
    return _maximised(normal, _Diagonal(normal) if len(normal.kinds) == 1 else _Dense(normal), alpha, 1.0)


def refine(problem: LinearProblem, normal: NormalEquations, ridge: Ridge) -> Ridge:
    """The same ridge from a QR of the rows, in one pass: errors grow as eps cond(X), not eps cond(X)².

    The updates go on from where those by normal equations were lost in rounding.
    """
    factors = factorise(problem, normal.kinds, normal.column_scale)
    found = _maximised(normal, factors, ridge.noise_precision, float(np.max(ridge.prior_precision)))
    left = factors.residuals(found.mean * normal.column_scale)
    return replace(
        found,
        residual_rms=np.sqrt(left / normal.count),
        solver="TSQR",
        iterations=ridge.iterations + found.iterations,
    )


def _floor(normal: NormalEquations) -> Array:
    return LEAST_RESIDUAL * normal.count * (normal.square / normal.count).max()


def _maximised(
    normal: NormalEquations, posterior: _Diagonal | _Dense | Factors, alpha: Array, lam: float
) -> Ridge:
    """The fixed point that updates lead to from noise precisions alpha and prior precision lam."""
    floor = _floor(normal)
    converged: bool = False
    iterations, least, since = 0, np.inf, 0
    while not converged and iterations < MAX_ITERATIONS:
        iterations += 1
        mean, traces = posterior.moments(alpha, lam)
        residual = np.maximum(posterior.residuals(mean), floor)
        # γ = P − λ tr S without its cancellation at large λ.
        gamma = max(float(alpha @ traces), 1e-12)
        new_lam = gamma / max(float(mean @ mean), gamma / (MOST_PRIOR * float((alpha * normal.count).max())))
        new_alpha = normal.precisions(alpha, traces, residual)
        change = max(abs(np.log(new_lam / lam)), float(np.abs(np.log(new_alpha / alpha)).max()))
        lam, alpha = float(new_lam), new_alpha
        least, since = (change, 0) if change < least else (least, since + 1)
        converged = bool(change < TOLERANCE or (least < SETTLED and since >= PATIENCE))
    mean, traces = posterior.moments(alpha, lam)
    residual = np.maximum(posterior.residuals(mean), floor)
    values, vectors = posterior.eigen(alpha, lam)
    return Ridge(
        kinds=normal.kinds,
        mean=mean / normal.column_scale,
        prior_precision=lam,
        noise_precision=alpha,
        noise=normal.noise(alpha, traces, residual),
        residual_rms=np.sqrt(residual / normal.count),
        mean_leverage=traces / normal.count,
        eigenvalues=np.maximum(values, lam),
        eigenvectors=vectors,
        column_scale=normal.column_scale,
        solver="normal equations",
        iterations=iterations,
        converged=converged,
        weights=normal.weights,
        device=normal.device,
    )


def _residuals(normal: NormalEquations, mean: Array) -> Array:
    """‖y_k − X_k m‖² of each kind, (K,)."""
    return normal.square - 2.0 * normal.moment @ mean + (normal.gram @ mean) @ mean


class _Diagonal:
    """One kind: after one eigendecomposition an update costs O(P), and the mean O(P²)."""

    def __init__(self, normal: NormalEquations) -> None:
        self.normal = normal
        values, self.vectors = np.linalg.eigh(normal.gram[0])
        self.values = np.maximum(values, 0.0)
        self.moment = self.vectors.T @ normal.moment[0]

    def moments(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        variance = 1.0 / (lam + alpha[0] * self.values)
        mean = self.vectors @ (variance * alpha[0] * self.moment)
        return mean, np.array([variance @ self.values])

    def residuals(self, mean: Array) -> Array:
        return _residuals(self.normal, mean)

    def eigen(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        return lam + alpha[0] * self.values, self.vectors


class _Dense:
    """Several kinds: S is not diagonal in a fixed basis, so each update factorises."""

    def __init__(self, normal: NormalEquations) -> None:
        self.normal = normal
        self.identity = np.eye(len(normal.column_scale))

    def moments(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        from scipy.linalg import cho_factor, cho_solve

        covariance = cho_solve(cho_factor(self._precision(alpha, lam)), self.identity)
        mean = covariance @ (alpha @ self.normal.moment)
        traces = np.array([np.vdot(covariance, gram) for gram in self.normal.gram])
        return mean, traces

    def residuals(self, mean: Array) -> Array:
        return _residuals(self.normal, mean)

    def eigen(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self._precision(alpha, lam))
        return values, vectors

    def _precision(self, alpha: Array, lam: float) -> Array:
        return np.tensordot(alpha, self.normal.gram, 1) + lam * self.identity
