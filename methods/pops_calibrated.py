"""POPS as a shape: error bars proportional to the spread of the corrections, scaled and floored on train.

Ours, not the published algorithm (that is `pops_reference`): the corrections' covariance, normalised by leverage,
A = C⁻¹[Σ_n (e_n²/h_n) x_n x_nᵀ]C⁻¹, says how far single rows pull the coefficients; the cluster-robust covariance
B = C⁻¹[Σ_c s_c s_cᵀ]C⁻¹ of scores s_c = Σ_n e_n x_n over the rows n of a cluster says how far whole structures do,
whose forces err together. Half-widths are a sqrt(xᵀ(A + ρB)x) + c. For each kind a, c ≥ 0 and, out of a few values, ρ
minimise the interval score of predictions in cluster cross-validation on train, where the residuals, A and B are those
of a fit that has not seen the cluster; for energies, one a structure, ρ = 0. No calibration split is needed. Simulation
results are carried by the covariance of forces.

Cost: four passes over the rows, K times the work in three of them, K + 1 eigendecompositions; O(P²) a predicted row.
Limits: states 95 % intervals, not an envelope; out of distribution they cover less, as all calibrated ones do.
Developed on SNAP for Cu, Mo, Si and Li of Zuo et al. (2020) and the embedded aluminium, whose scores are no independent
test of it.
Reference: corrections of Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025); cluster-robust covariance:
Liang & Zeger, Biometrika 73, 13 (1986); the interval score as loss: Gneiting & Raftery, J. Am. Stat. Assoc. 102, 359
(2007), eq. 43.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, LinearMethod, LinearProblem
from uqbench.linear.corrections import LEVERAGE_FLOOR
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import LeftOut, leave_folds_out, require_folds
from uqbench.linear.normalised import correction_moments
from uqbench.linear.scaled_width import ScaledWidth, fit_width, width_loss

LEVEL = 0.95
SHARES = (0.0, 0.1, 0.3, 1.0, 3.0)
"""ρ tried, in units in which A and B have the same trace once C is the identity."""


@dataclass(frozen=True)
class PopsCalibrated(LinearMethod):
    """Half-widths a sqrt(xᵀ(A + ρB)x) + c with a, c and ρ from cross-validation on train.

    folds: number K of folds of clusters, at least 2.
    """

    folds: int = 10

    def __post_init__(self) -> None:
        require_folds("pops_calibrated", self.folds)

    def fit(self, problem: LinearProblem, rng: Generator) -> ScaledWidth:
        """rng deals the clusters to folds."""
        ridge = fit_ridge(problem)
        left_out = leave_folds_out(problem, ridge, self.folds, rng)
        rows, clusters = correction_moments(left_out, ridge.leverage_floor(LEVERAGE_FLOOR))
        clusters *= np.trace(rows[-1]) / max(np.trace(clusters[-1]), np.finfo(float).tiny)
        scale: dict[Kind, float] = {}
        floor: dict[Kind, float] = {}
        factor: dict[Kind, Array] = {}
        facts = dict(ridge.facts)
        for kind, held_out in _held_out(left_out, rows, clusters).items():
            share, scale[kind], width = _best(*held_out, (0.0,) if kind == "energy" else SHARES)
            floor[kind] = width * problem.scales[kind]
            factor[kind] = ridge.whitener @ _root(rows[-1] + share * clusters[-1])
            facts |= {f"a_{kind}": scale[kind], f"c_{kind}": floor[kind], f"cluster_share_{kind}": share}
        of_parameters = factor.get("forces", next(iter(factor.values())))
        return ScaledWidth(ridge.mean, of_parameters, scale, floor, LEVEL, facts, ridge.device, factor)


def _root(moment: Array) -> Array:
    """R with R Rᵀ = moment (P, P)."""
    values, vectors = np.linalg.eigh(moment)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _held_out(left_out: LeftOut, rows: Array, clusters: Array) -> dict[Kind, tuple[Array, Array, Array]]:
    """|error|, xᵀAx and xᵀBx of every row under the fit that has not seen it, by kind."""
    arrays = left_out.ridge.arrays
    factors = [
        [arrays.put(left_out.whitener(f) @ _root(moment[f])) for moment in (rows, clusters)]
        for f in range(left_out.n_folds)
    ]
    parts: dict[Kind, list[tuple[Array, Array, Array]]] = {}
    for fold, kind, x, error in left_out.held_out():
        of_rows, of_clusters = (arrays.squared_norms(arrays.put(x) @ factor) for factor in factors[fold])
        parts.setdefault(kind, []).append((np.abs(error), of_rows, of_clusters))
    return {k: _joined(pieces) for k, pieces in parts.items()}


def _joined(pieces: list[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array]:
    error, of_rows, of_clusters = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return error, of_rows, of_clusters


def _best(
    error: Array, of_rows: Array, of_clusters: Array, shares: tuple[float, ...]
) -> tuple[float, float, float]:
    """(ρ, a, c) with the least interval score of |error| under a sqrt(xᵀAx + ρ xᵀBx) + c."""
    tried: list[tuple[float, float, float, float]] = []
    for share in shares:
        shape = np.sqrt(of_rows + share * of_clusters)
        a, c = fit_width(error, shape, LEVEL)
        tried.append((width_loss(error, a * shape + c, LEVEL), share, a, c))
    return min(tried)[1:]
