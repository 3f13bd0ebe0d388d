"""Conformalised quantile regression of energy residuals: bounds by boosted trees, made valid on clusters kept back.

Two gradient-boosted models of a ridge's energy residuals give their 2.5 % and 97.5 % quantiles as functions of the
energy row; the conformal step widens (or narrows) both by one number, a quantile of max(q_lo − e, e − q_hi) on a
quarter of the training clusters. Neither the trees nor the ridge whose residuals these are have seen that quarter; the
mean is that of the ridge fit to all clusters, as in other methods. For energies only: bounds on force components from
invariant features would not turn with the structure, so forces and stress get the training RMSE, as in `constant`.

Guarantee: an energy of a new cluster lies within the bounds with at least the probability stated, if clusters are
exchangeable (but for reference energies, fitted to all of train). With K clusters kept back at most K/(K + 1) can be
had: from 19 on 95 % is stated, below that K/(K + 1).

Cost: two ridge fits and two small boosted models; a predicted energy walks some hundred trees.
Limits: needs a hundred or so energies to say anything; marginal coverage only, and not out of distribution; where rows
are hardly more than features, bounds are those of a fit to three quarters of them; states nothing of the coefficients,
so nothing propagates to simulation results. Needs scikit-learn.
Reference: Romano, Patterson & Candès, Advances in Neural Information Processing Systems 32 (2019), eqs. 7, 8; several
energies a cluster: Lee, Barber & Willett, arXiv 2306.06342 (2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Array, Kind, LinearMethod, LinearProblem, ParameterPosterior, Prediction
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.ridge import Ridge
from uqbench.linear.selection import select_rows
from uqbench.normal_quantile import normal_quantile

LEVEL = 0.95
KEPT_BACK = 0.25
FEWEST_KEPT_BACK = 19
"""Clusters that LEVEL can be had with; as many are kept back where that leaves half or more to learn from."""
FEWEST = 10
"""Energies below which nothing is learned."""


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
        """Five passes over the rows, seven if both fits need TSQR; energy rows are held in memory.

        rng deals the clusters that are kept back.
        Raises UqbenchError if there are fewer than 10 training energies, or all are of one cluster.
        """
        rows, labels, cluster = _energies(problem)
        if len(rows) < FEWEST:
            raise UqbenchError(
                f"cqr: {len(rows)} training energies; at least {FEWEST} are needed to learn from."
            )
        clusters = rng.permutation(np.unique(cluster))
        if len(clusters) < 2:
            raise UqbenchError(
                "cqr: 1 training cluster has all energies, and some are kept back; at least 2 are needed."
            )
        n_kept = max(round(KEPT_BACK * len(clusters)), min(FEWEST_KEPT_BACK, len(clusters) // 2))
        kept_back = clusters[:n_kept]
        seen = np.concatenate([~np.isin(block.cluster, kept_back) for block in problem.blocks()])
        learned = fit_ridge(select_rows(problem, seen)).mean
        residual, held = labels - rows @ learned, np.isin(cluster, kept_back)
        lower, upper = self._quantiles(rows[~held], residual[~held], int(rng.integers(2**31)))
        beyond = np.maximum(
            lower.predict(rows[held]) - residual[held], residual[held] - upper.predict(rows[held])
        )
        widen, nominal = _conformal(beyond, cluster[held])
        ridge = fit_ridge(problem)
        facts = ridge.facts | {
            "widened_by": widen * problem.scales["energy"],
            "kept_back": float(held.sum()),
            "kept_back_clusters": float(n_kept),
        }
        facts["conformal"] = (
            "attained" if nominal == LEVEL else f"too few clusters kept back: {nominal:.3g} stated"
        )
        scale, noise = problem.scales["energy"], _noise(problem, ridge)
        return EnergyQuantiles(ridge.mean, learned, lower, upper, widen, nominal, scale, noise, facts)

    def _quantiles(self, rows: Array, residual: Array, seed: int) -> tuple[_Quantile, _Quantile]:
        """Models of the 2.5 % and 97.5 % quantiles of residuals (n,) given rows (n, P)."""
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

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
            return lower.fit(rows, residual), upper.fit(rows, residual)


class _Quantile(Protocol):
    def predict(self, X: Array) -> Array:
        """(n,) quantiles of the residual for rows (n, P)."""
        ...


@dataclass(frozen=True)
class EnergyQuantiles(ParameterPosterior):
    """A point estimate of the coefficients, with quantile models of the energy residual.

    learned: (P,), the coefficients whose residuals lower and upper are quantiles of. widen: added to both bounds, in
    units of scale (eV/atom), as the models' residuals are. nominal: the probability stated for them. noise: standard
    deviation of the kinds.
    """

    mean: Array
    learned: Array
    lower: _Quantile
    upper: _Quantile
    widen: float
    nominal: float
    scale: float
    noise: Mapping[Kind, float]
    facts: Mapping[str, float | str] = field(default_factory=dict)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Energies: stated bounds, and the deviation of a Gaussian as wide. Others: constant."""
        mean = rows @ self.mean
        if kind != "energy" or not len(rows):
            return Prediction(mean, np.full(len(rows), self.noise[kind]))
        centre, scaled = rows @ self.learned, rows / self.scale
        least = centre + self.scale * (self.lower.predict(scaled) - self.widen)
        most = centre + self.scale * (self.upper.predict(scaled) + self.widen)
        # Both may lie on one side of the mean, which bounds of a prediction hold.
        least, most = np.minimum(least, mean), np.maximum(most, mean)
        width = np.maximum(most - least, 1e-12 * self.scale)
        return Prediction(mean, width / (2.0 * normal_quantile(self.nominal)), least, most, self.nominal)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) copies of the point estimate: the method has no beliefs about the coefficients."""
        return np.repeat(self.mean[None], n, axis=0)


def _energies(problem: LinearProblem) -> tuple[Array, Array, NDArray[np.int32]]:
    """Energy rows (n, P), their labels and clusters (n,)."""
    rows, labels, cluster = (
        [np.empty((0, problem.n_features))],
        [np.empty(0)],
        [np.empty(0, dtype=np.int32)],
    )
    for block in problem.blocks():
        for kind, part in block.parts():
            if kind == "energy":
                rows.append(block.rows[part])
                labels.append(block.labels[part])
                cluster.append(block.cluster[part])
    return np.concatenate(rows), np.concatenate(labels), np.concatenate(cluster)


def _conformal(beyond: Array, cluster: NDArray[np.int32]) -> tuple[float, float]:
    """The quantile of scores (n,) that holds one of a new cluster, and with what probability.

    Each of the n_k scores of cluster k, of K, weighs 1/((K + 1) n_k) (Lee, Barber & Willett 2023).
    """
    _, group, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    level = min(LEVEL, len(sizes) / (len(sizes) + 1))
    ascending = np.argsort(beyond)
    share = np.cumsum(1.0 / ((len(sizes) + 1) * sizes[group[ascending]]))
    return float(beyond[ascending[np.searchsorted(share, level - 1e-9)]]), level


def _noise(problem: LinearProblem, ridge: Ridge) -> dict[Kind, float]:
    """Training RMSE of each kind, in its unit; one not trained on errs, for its scale, as forces do, else energies."""
    rms: dict[Kind, float] = dict(zip(ridge.kinds, ridge.residual_rms.tolist(), strict=True))
    other = rms.get("forces", rms["energy"])
    return {k: rms.get(k, other) * scale for k, scale in problem.scales.items()}
