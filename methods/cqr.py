"""Conformalised quantile regression of energy residuals: bounds by boosted trees, made valid on clusters kept back.

Two gradient-boosted models of the ridge's energy residuals give their 2.5 % and 97.5 % quantiles as functions of the
energy row; the conformal step widens (or narrows) both by one number, the quantile of max(q_lo − e, e − q_hi) on a
quarter of the training clusters, which the trees have not seen. For energies only: bounds on force components from
invariant features would not turn with the structure, so forces and stress get the training RMSE, as in `constant`.

Cost: the ridge fit and two small boosted models; a predicted energy walks some hundred trees.
Limits: needs a hundred or so energies to say anything; marginal coverage only, and not out of distribution; states
nothing of the coefficients, so nothing propagates to simulation results. Needs scikit-learn.
Reference: Romano, Patterson & Candès, Advances in Neural Information Processing Systems 32 (2019), eqs. 7, 8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Array, Kind, LinearMethod, LinearProblem, ParameterPosterior, Prediction
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge

LEVEL = 0.95
KEPT_BACK = 0.25
FEWEST = 10
"""Energies below which nothing is learned; tails of 2.5 % need some forty kept back to be conformalised."""


@dataclass(frozen=True)
class Cqr(LinearMethod):
    """Conformalised quantile regression for energies, constant error bars for the rest.

    trees: number of boosting steps of each quantile model.
    """

    distributions: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    trees: int = 100

    def __post_init__(self) -> None:
        if self.trees < 1:
            raise UqbenchError(f"cqr: trees is {self.trees}; at least 1 is needed.")

    def fit(self, problem: LinearProblem, rng: Generator) -> EnergyQuantiles:
        """Two passes over the rows; rng deals the clusters that are kept back. Energy rows are held in memory.

        Raises UqbenchError if there are fewer than 10 training energies, or all are of one cluster.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        ridge = fit_ridge(problem)
        rows, residual, cluster = _energies(problem, ridge.mean)
        if len(rows) < FEWEST:
            raise UqbenchError(
                f"cqr: {len(rows)} training energies; at least {FEWEST} are needed to learn from."
            )
        clusters = rng.permutation(np.unique(cluster))
        if len(clusters) < 2:
            raise UqbenchError(
                "cqr: 1 training cluster has all energies, and some are kept back; at least 2 are needed."
            )
        kept_back = np.isin(cluster, clusters[: max(1, round(KEPT_BACK * len(clusters)))])
        seed = int(rng.integers(2**31))
        lower, upper = (
            HistGradientBoostingRegressor(
                loss="quantile",
                quantile=q,
                max_iter=self.trees,
                max_leaf_nodes=8,
                learning_rate=0.05,
                random_state=seed,
            )
            for q in (0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL)
        )
        # On so few rows threads wait for each other far longer than they work.
        with threadpool_limits(1, user_api="openmp"):
            lower.fit(rows[~kept_back], residual[~kept_back])
            upper.fit(rows[~kept_back], residual[~kept_back])
        held = rows[kept_back]
        beyond = np.maximum(
            lower.predict(held) - residual[kept_back], residual[kept_back] - upper.predict(held)
        )
        rank = math.ceil((len(beyond) + 1) * LEVEL)
        attained = rank <= len(beyond)
        widen = float(np.sort(beyond)[rank - 1 if attained else -1])
        noise: dict[Kind, float] = {
            k: float(rms) * problem.scales[k] for k, rms in zip(ridge.kinds, ridge.residual_rms, strict=True)
        }
        facts = ridge.facts | {
            "widened_by": widen * problem.scales["energy"],
            "kept_back": float(kept_back.sum()),
        }
        facts["conformal"] = "attained" if attained else "too few energies kept back: widened to the largest"
        return EnergyQuantiles(ridge.mean, lower, upper, widen, problem.scales["energy"], noise, facts)


class _Quantile(Protocol):
    def predict(self, X: Array) -> Array:
        """(n,) quantiles of the residual for rows (n, P)."""
        ...


@dataclass(frozen=True)
class EnergyQuantiles(ParameterPosterior):
    """A point estimate of the coefficients, with quantile models of the energy residual.

    widen: added to both bounds, in units of scale (eV/atom), as the models' residuals are. noise: standard
    deviation of the kinds.
    """

    mean: Array
    lower: _Quantile
    upper: _Quantile
    widen: float
    scale: float
    noise: Mapping[Kind, float]
    facts: Mapping[str, float | str] = field(default_factory=dict)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Energies: bounds stated at 95 %, and the deviation of a Gaussian as wide. Others: constant."""
        from scipy.special import ndtri

        mean = rows @ self.mean
        if kind != "energy" or not len(rows):
            return Prediction(mean, np.full(len(rows), self.noise.get(kind, max(self.noise.values()))))
        scaled = rows / self.scale
        least = mean + self.scale * (self.lower.predict(scaled) - self.widen)
        most = mean + self.scale * (self.upper.predict(scaled) + self.widen)
        # Quantiles of the residual may both lie on one side of zero; bounds of a prediction hold its mean.
        least, most = np.minimum(least, mean), np.maximum(most, mean)
        std = np.maximum(most - least, 1e-12 * self.scale) / (2.0 * float(ndtri(0.5 * (1.0 + LEVEL))))
        return Prediction(mean, std, least, most, LEVEL)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) copies of the point estimate: the method has no beliefs about the coefficients."""
        return np.repeat(self.mean[None], n, axis=0)


def _energies(problem: LinearProblem, mean: Array) -> tuple[Array, Array, NDArray[np.int32]]:
    """Energy rows (n, P), their residuals and clusters (n,)."""
    rows, residual, cluster = (
        [np.empty((0, problem.n_features))],
        [np.empty(0)],
        [np.empty(0, dtype=np.int32)],
    )
    for block in problem.blocks():
        for kind, part in block.parts():
            if kind == "energy":
                rows.append(block.rows[part])
                residual.append(block.labels[part] - block.rows[part] @ mean)
                cluster.append(block.cluster[part])
    return np.concatenate(rows), np.concatenate(residual), np.concatenate(cluster)
