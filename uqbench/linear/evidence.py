"""Evidence maximisation for Bayesian ridge regression with one noise precision a kind of label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uqbench.api import Array, Kind
from uqbench.errors import UqbenchError
from uqbench.linear.normal import NormalEquations

MAX_ITERATIONS = 1000
TOLERANCE = 1e-9
LEAST_RESIDUAL = 1e-12
"""Least mean square of a kind's residuals, relative to the largest of labels of a kind.

It keeps the precision of an exact fit finite (as of the energies of one structure, or of fewer structures than
coefficients), and the kinds' precisions so near that their sum still resolves each.
"""
MOST_PRIOR = 1e12
"""Greatest prior precision, relative to that of the data: coefficients vanish where rows explain nothing."""


@dataclass(frozen=True)
class Ridge:
    """Posterior N(mean, S) of scaled coefficients, S = (λI + Σ α_k G_k)⁻¹ (MacKay 1992; Tipping 2001).

    mean: (P,) coefficients θ in the backbone's units. prior_precision: λ, in scaled columns.
    noise_precision: α_k, of labels divided by their scale. residual_rms: of training rows, likewise.
    eigenvalues: (P,) and eigenvectors: (P, P) of S⁻¹. column_scale: (P,).
    """

    kinds: tuple[Kind, ...]
    mean: Array
    prior_precision: float
    noise_precision: Array
    residual_rms: Array
    eigenvalues: Array
    eigenvectors: Array
    column_scale: Array
    iterations: int
    converged: bool

    @cached_property
    def whitener(self) -> Array:
        """W (P, P) with S = W Wᵀ in the backbone's units: rows · W are z, leverages of rows xᵀSx are |z|²."""
        return self.eigenvectors / np.sqrt(self.eigenvalues) / self.column_scale[:, None]

    @property
    def facts(self) -> dict[str, float | str]:
        """What the record says of the fit."""
        facts: dict[str, float | str] = {"prior_precision": self.prior_precision}
        facts |= {
            f"noise_precision_{k}": float(a) for k, a in zip(self.kinds, self.noise_precision, strict=True)
        }
        facts |= {f"residual_rms_{k}": float(r) for k, r in zip(self.kinds, self.residual_rms, strict=True)}
        facts["condition"] = float(self.eigenvalues[-1] / self.eigenvalues[0])
        facts["evidence"] = (
            f"{'converged' if self.converged else 'NOT converged'} in {self.iterations} iterations"
        )
        return facts


def maximise_evidence(normal: NormalEquations) -> Ridge:
    """Fixed-point updates of MacKay 1992: γ = P − λ tr S, λ = γ/mᵀm, α_k = (n_k − α_k tr(SG_k))/‖y_k − X_k m‖².

    With one kind this is scikit-learn's BayesianRidge with flat hyper-priors. Raises UqbenchError if all
    labels are zero.
    """
    if not normal.square.any():
        raise UqbenchError("all training labels are zero: there is nothing to fit.")
    floor = LEAST_RESIDUAL * normal.count * (normal.square / normal.count).max()
    alpha = normal.count / np.maximum(normal.square, floor)
    lam = 1.0
    step = _eigen_step(normal) if len(normal.kinds) == 1 else _cholesky_step(normal)
    p = len(normal.column_scale)
    converged: bool = False
    iterations = 0
    while not converged and iterations < MAX_ITERATIONS:
        iterations += 1
        mean, traces = step(alpha, lam)
        residual = np.maximum(_residuals(normal, mean), floor)
        # γ = P − λ tr S without its cancellation at large λ.
        gamma = max(float(alpha @ traces), 1e-12)
        new_lam = gamma / max(float(mean @ mean), gamma / (MOST_PRIOR * float((alpha * normal.count).max())))
        new_alpha = (normal.count - alpha * traces) / residual
        # A kind that the model cannot explain less than fully, or P > n, drives a count to zero by rounding.
        new_alpha = np.maximum(new_alpha, 1e-12 * alpha)
        change = max(abs(np.log(new_lam / lam)), float(np.abs(np.log(new_alpha / alpha)).max()))
        lam, alpha, converged = float(new_lam), new_alpha, bool(change < TOLERANCE)
    precision = np.tensordot(alpha, normal.gram, 1) + lam * np.eye(p)
    values, vectors = np.linalg.eigh(precision)
    values = np.maximum(values, lam)
    mean = vectors @ ((vectors.T @ (alpha @ normal.moment)) / values)
    residual = np.maximum(_residuals(normal, mean), floor)
    return Ridge(
        normal.kinds,
        mean / normal.column_scale,
        lam,
        alpha,
        np.sqrt(residual / normal.count),
        values,
        vectors,
        normal.column_scale,
        iterations,
        converged,
    )


def _residuals(normal: NormalEquations, mean: Array) -> Array:
    """‖y_k − X_k m‖² of each kind, (K,)."""
    return normal.square - 2.0 * normal.moment @ mean + (normal.gram @ mean) @ mean


def _eigen_step(normal: NormalEquations):
    """One kind: after one eigendecomposition an update costs O(P) (and the mean O(P²))."""
    values, vectors = np.linalg.eigh(normal.gram[0])
    values = np.maximum(values, 0.0)
    moment = vectors.T @ normal.moment[0]

    def step(alpha: Array, lam: float) -> tuple[Array, Array]:
        variance = 1.0 / (lam + alpha[0] * values)
        mean = vectors @ (variance * alpha[0] * moment)
        return mean, np.array([variance @ values])

    return step


def _cholesky_step(normal: NormalEquations):
    """Several kinds: S is not diagonal in a fixed basis, so each update factorises."""
    from scipy.linalg import cho_factor, cho_solve

    identity = np.eye(len(normal.column_scale))

    def step(alpha: Array, lam: float) -> tuple[Array, Array]:
        information = np.tensordot(alpha, normal.gram, 1)
        # Rounding may take as much from the least eigenvalue.
        rounding = np.finfo(float).eps * np.trace(information)
        factor = cho_factor(information + (lam + rounding) * identity)
        covariance = cho_solve(factor, identity)
        mean = covariance @ (alpha @ normal.moment)
        return mean, np.einsum("pq,kpq->k", covariance, normal.gram)

    return step
