"""Extrapolation grade γ: how far a prediction lies outside the training rows that span the most.

What moment tensor potentials and ACE choose new structures by, as an error bar. The active set A, P training rows of
greatest volume |det A| (D-optimality, found by MaxVol), writes every row as x = Σ_j γ_j A_j; γ = max_j |γ_j| is at most
1 for what lies within the training data. Bounds are ± s γ; s, for each kind, is the 95 % quantile of |error|/γ in
cluster cross-validation on train, where A too has not seen the cluster. For simulation results, coefficients are drawn
such that the active predictions err independently, each by as much as one of γ = 1 does.

Cost: some passes over the rows for each of K + 1 active sets, O(P³) a block that changes one; O(P²) a predicted row.
Limits: rows decide, not their errors, so the shape is that of the features alone; the grade is of whole rows (MTP's
"configuration" mode, with energies, forces and stresses as equations), not of atomic environments; the set depends on
the order of the rows. The factor s is ours: published uses compare γ with a threshold.
Reference: Podryabinkin & Shapeev, Comput. Mater. Sci. 140, 171 (2017); Lysogorskiy et al., Phys. Rev. Mater. 7, 043801
(2023), on ACE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, LinearMethod, LinearProblem, ParameterPosterior, Prediction
from uqbench.linear.arrays import Arrays
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import leave_folds_out, require_folds
from uqbench.linear.maxvol import MOST_PASSES, active_inverse
from uqbench.normal_quantile import normal_quantile

LEVEL = 0.95
NO_FOLD = -1


@dataclass(frozen=True)
class ExtrapolationGrade(LinearMethod):
    """Bounds ± s γ.

    folds: number K of folds of clusters, at least 2.
    """

    folds: int = 5

    def __post_init__(self) -> None:
        require_folds("extrapolation_grade", self.folds)

    def fit(self, problem: LinearProblem, rng: Generator) -> Graded:
        """rng deals the clusters to folds."""
        ridge = fit_ridge(problem)
        left_out = leave_folds_out(problem, ridge, self.folds, rng)

        def corners(fold: int) -> tuple[Array, bool]:
            inverse, settled = active_inverse(problem, ridge, lambda b: left_out.folds(b) != fold)
            return ridge.whitener @ inverse, settled

        without = [corners(fold)[0] for fold in range(self.folds)]
        ratios: dict[Kind, list[Array]] = {}
        for fold, kind, rows, error in left_out.held_out():
            # A row of zeros predicts zero whatever the coefficients: its grade is 0, and its error says nothing of s.
            moved = rows.any(axis=1)
            if moved.any():
                grade = _grade(ridge.arrays, rows[moved], without[fold])
                ratios.setdefault(kind, []).append(np.abs(error[moved]) / grade)
        scale: dict[Kind, float] = {
            k: float(np.quantile(np.concatenate(r), LEVEL, method="higher")) for k, r in ratios.items()
        }
        at_one = {
            f"error_at_grade_1_{k}": scale[k] * problem.scales[k] / float(np.sqrt(a))
            for k, a in zip(ridge.kinds, ridge.noise_precision, strict=True)
            if k in scale
        }
        of_all, settled = corners(NO_FOLD)
        active = (
            "settled"
            if settled
            else f"NOT settled in {MOST_PASSES} passes: training rows may be graded above 1"
        )
        return Graded(ridge.mean, of_all, scale, ridge.facts | at_one | {"active_set": active}, ridge.device)


@dataclass(frozen=True)
class Graded(ParameterPosterior):
    """Bounds mean ± s γ with γ = max_j |x · corners_j|; θ ~ N(mean, (s/1.96)² corners cornersᵀ) for propagation.

    mean: (P,). corners: (P, P), the change of θ that alters one active prediction by 1 and no other. scale: s of each
    kind; a kind that was not trained on has that of forces, else of the first. device: where rows are predicted.
    """

    mean: Array
    corners: Array
    scale: Mapping[Kind, float]
    facts: Mapping[str, float | str] = field(default_factory=dict)
    device: str = "cpu"

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Bounds stated at 95 %, and the standard deviation of a Gaussian with these as central interval."""
        arrays = Arrays(self.device)
        half = self._scale(kind) * _grade(arrays, rows, self.corners)
        mean = arrays.get(arrays.put(rows) @ arrays.put(self.mean))
        return Prediction(mean, half / normal_quantile(LEVEL), mean - half, mean + half, LEVEL)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) draws in which active predictions err independently, each as forces of γ = 1 do."""
        step = self._scale("forces") / normal_quantile(LEVEL)
        return self.mean + step * rng.standard_normal((n, len(self.mean))) @ self.corners.T

    def _scale(self, kind: Kind) -> float:
        return self.scale.get(kind, self.scale.get("forces", next(iter(self.scale.values()))))


def _grade(arrays: Arrays, rows: Array, corners: Array) -> Array:
    """γ of each row (n, P), (n,), in the unit of the rows."""
    return arrays.get(arrays.xp.max(arrays.xp.abs(arrays.put(rows) @ arrays.put(corners)), axis=1))
