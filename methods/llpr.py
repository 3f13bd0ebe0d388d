"""LLPR: prediction rigidity, an error bar from how firmly the training rows hold a prediction in place.

Variance s_k² xᵀ(G + ςI)⁻¹x; the regulariser ς and a scale s_k a kind maximise the likelihood of predictions in
cluster cross-validation on train. The shape is that of the epistemic variance of Bayesian linear regression; what is
new is the scale, set by errors on data the fit has not seen.

Cost: three passes over the rows and K + 1 eigendecompositions; O(P²) a predicted row.
Limits: no floor, so predictions that the rows hold firmly get error bars that are too small when the model is
misspecified.
Reference: Bigi, Chong, Ceriotti & Grasselli, Mach. Learn.: Sci. Technol. 5, 045018 (2024), arXiv 2403.02251.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, LinearMethod, LinearProblem
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import LeftOut, leave_folds_out, require_folds
from uqbench.linear.scaled_width import ScaledWidth
from uqbench.normal_quantile import normal_quantile

LEVEL = 0.95
REGULARISERS = np.logspace(-12, 0, 25)
"""ς tried, relative to the mean eigenvalue of G."""


@dataclass(frozen=True)
class Llpr(LinearMethod):
    """Last-layer prediction rigidity.

    folds: number of folds of clusters, at least 2.
    """

    folds: int = 10

    def __post_init__(self) -> None:
        require_folds("llpr", self.folds)

    def fit(self, problem: LinearProblem, rng: Generator) -> ScaledWidth:
        """rng deals the clusters to folds."""
        ridge = fit_ridge(problem)
        left_out = leave_folds_out(problem, ridge, self.folds, rng)
        tried = REGULARISERS * float(left_out.eigenvalues.mean())
        best, std = _most_likely(left_out, tried)
        values = np.maximum(ridge.eigenvalues - ridge.prior_precision, 0.0) + tried[best]
        factor = ridge.eigenvectors / np.sqrt(values) / ridge.column_scale[:, None]
        quantile = normal_quantile(LEVEL)
        facts = ridge.facts | {"regulariser": float(tried[best])} | {f"scale_{k}": s for k, s in std.items()}
        scale: dict[Kind, float] = {k: quantile * s for k, s in std.items()}
        return ScaledWidth(ridge.mean, factor, scale, {}, LEVEL, facts, ridge.device)


def _most_likely(left_out: LeftOut, tried: Array) -> tuple[int, dict[Kind, float]]:
    """Index of the best ς, and s_k at it; given ς, the best s_k² is the mean of e²/v, v = xᵀ(G + ςI)⁻¹x."""
    scale = left_out.ridge.column_scale
    count: dict[Kind, int] = {}
    log_v: dict[Kind, Array] = {}
    ratio: dict[Kind, Array] = {}
    for fold, kind, rows, error in left_out.held_out():
        # A row of zeros predicts zero whatever the coefficients: it has no error bar, and its likelihood is void.
        moved = rows.any(axis=1)
        if not moved.any():
            continue
        rows, error = rows[moved], error[moved]
        squares = ((rows / scale) @ left_out.eigenvectors[fold]) ** 2
        v = squares @ (1.0 / (left_out.eigenvalues[fold][:, None] + tried))
        count[kind] = count.get(kind, 0) + len(error)
        log_v[kind] = log_v.get(kind, 0.0) + np.log(v).sum(axis=0)
        ratio[kind] = ratio.get(kind, 0.0) + (error[:, None] ** 2 / v).sum(axis=0)
    variance: dict[Kind, Array] = {k: np.maximum(ratio[k] / count[k], np.finfo(float).tiny) for k in count}
    loss = np.sum([count[k] * np.log(variance[k]) + log_v[k] for k in count], axis=0)
    best = int(np.argmin(loss))
    std: dict[Kind, float] = {k: float(np.sqrt(v[best])) for k, v in variance.items()}
    return best, std
