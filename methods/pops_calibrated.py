"""POPS as a shape: error bars proportional to the spread of the corrections, scaled and floored on train.

Ours, not the published algorithm (that is `pops`): the corrections' covariance, normalised by leverage,
A = C⁻¹[Σ_n (e_n²/h_n) x_n x_nᵀ]C⁻¹, gives the shape sqrt(xᵀAx) of the half-widths a sqrt(xᵀAx) + c. For each kind
a, c ≥ 0 minimise the interval score of predictions in cluster cross-validation on train, where both the residuals
and A are those of a fit that has not seen the cluster. No calibration split is needed.

Cost: four passes over the rows, K times the work in three of them, K + 1 eigendecompositions; O(P²) a predicted row.
Limits: states 95 % intervals, not an envelope; out of distribution they cover less, as all calibrated ones do.
Reference: corrections of Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025); the interval score as loss:
Gneiting & Raftery, J. Am. Stat. Assoc. 102, 359 (2007), eq. 43.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, LinearMethod, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.corrections import LEVERAGE_FLOOR
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import LeftOut, leave_folds_out
from uqbench.linear.normalised import normalised_moments
from uqbench.linear.scaled_width import ScaledWidth, fit_width

LEVEL = 0.95


@dataclass(frozen=True)
class PopsCalibrated(LinearMethod):
    """Half-widths a sqrt(xᵀAx) + c with a and c from cross-validation on train.

    folds: number K of folds of clusters, at least 2.
    """

    folds: int = 10

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise UqbenchError(f"pops_calibrated: folds is {self.folds}; at least 2 are needed.")

    def fit(self, problem: LinearProblem, rng: Generator) -> ScaledWidth:
        """rng deals the clusters to folds."""
        ridge = fit_ridge(problem)
        floor = ridge.leverage_floor(LEVERAGE_FLOOR)
        left_out = leave_folds_out(problem, ridge, self.folds, rng)
        moments = normalised_moments(left_out, floor)
        factors = [left_out.whitener(f) @ _root(m) for f, m in enumerate(moments[:-1])]
        scale: dict[Kind, float] = {}
        additive: dict[Kind, float] = {}
        for kind, (error, shape) in _held_out(left_out, factors).items():
            scale[kind], width = fit_width(error, shape, LEVEL)
            additive[kind] = width * problem.scales[kind]
        facts = (
            ridge.facts | {f"a_{k}": a for k, a in scale.items()} | {f"c_{k}": c for k, c in additive.items()}
        )
        return ScaledWidth(
            ridge.mean, ridge.whitener @ _root(moments[-1]), scale, additive, LEVEL, facts, ridge.device
        )


def _root(moment: Array) -> Array:
    """R with R Rᵀ = moment (P, P)."""
    values, vectors = np.linalg.eigh(moment)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _held_out(left_out: LeftOut, factors: list[Array]) -> dict[Kind, tuple[Array, Array]]:
    """|error| and shape of every row under the fit that has not seen it, by kind."""
    arrays = left_out.ridge.arrays
    errors: dict[Kind, list[Array]] = {}
    shapes: dict[Kind, list[Array]] = {}
    for fold, kind, rows, error in left_out.held_out():
        errors.setdefault(kind, []).append(np.abs(error))
        shape = np.sqrt(arrays.squared_norms(arrays.put(rows) @ arrays.put(factors[fold])))
        shapes.setdefault(kind, []).append(shape)
    return {k: (np.concatenate(errors[k]), np.concatenate(shapes[k])) for k in errors}
