"""A posterior whose error bars are a shape xᵀAx, scaled and floored a kind: half-width a sqrt(xᵀAx) + c."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, ParameterPosterior, Prediction
from uqbench.linear.arrays import Arrays
from uqbench.normal_quantile import normal_quantile


@dataclass(frozen=True)
class ScaledWidth(ParameterPosterior):
    """θ ~ N(mean, κ² A) for propagation; predictions of rows have bounds mean ± (a_k sqrt(xᵀAx) + c_k).

    mean: (P,). factor: (P, r), A = factor factorᵀ. scale, floor: a_k without unit and c_k in the unit of the
    kind, for half-widths at `level`. A kind that was not trained on has the scale of forces,
    else of the first. device: where rows are predicted (see uqbench.linear.arrays). own: factors of kinds whose
    widths have another shape.
    """

    mean: Array
    factor: Array
    scale: Mapping[Kind, float]
    floor: Mapping[Kind, float]
    level: float
    facts: Mapping[str, float | str] = field(default_factory=dict)
    device: str = "cpu"
    own: Mapping[Kind, Array] = field(default_factory=dict)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Bounds stated at `level`, and the standard deviation of a Gaussian with these as central interval."""
        arrays = Arrays(self.device)
        x = arrays.put(rows)
        shape = np.sqrt(arrays.squared_norms(x @ arrays.put(self.own.get(kind, self.factor))))
        half = self._scale(kind) * shape + self.floor.get(kind, 0.0)
        mean = arrays.get(x @ arrays.put(self.mean))
        return Prediction(mean, half / normal_quantile(self.level), mean - half, mean + half, self.level)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) draws whose spread is the scaled part of the widths of forces (the floor does not propagate)."""
        spread = self._scale("forces") / normal_quantile(self.level) * self.factor
        return self.mean + rng.standard_normal((n, spread.shape[1])) @ spread.T

    def _scale(self, kind: Kind) -> float:
        return self.scale.get(kind, self.scale.get("forces", next(iter(self.scale.values()))))


def width_loss(abs_error: Array, half: Array, level: float) -> float:
    """Half the mean interval score of bounds ± half at a level. abs_error, half: (n,)."""
    return float(np.mean(half + np.maximum(abs_error - half, 0.0) / (1.0 - level)))


def fit_width(abs_error: Array, shape: Array, level: float) -> tuple[float, float]:
    """(a, c), both >= 0, with the least mean interval score of bounds ± (a shape + c) at a level.

    abs_error, shape: (n,). The interval score is twice the pinball loss of |error| at quantile `level` up to a
    constant and a factor (Gneiting & Raftery 2007, eqs. 42, 43), so this is a linear quantile regression with
    non-negative coefficients: for given a the best c is a quantile of |error| - a shape, and what is left is
    convex in a.
    """
    from scipy.optimize import minimize_scalar

    def floor_of(a: float) -> float:
        return max(0.0, float(np.quantile(abs_error - a * shape, level, method="higher")))

    def loss(a: float) -> float:
        return width_loss(abs_error, a * shape + floor_of(a), level)

    if not shape.any():
        return 0.0, floor_of(0.0)
    # Without a floor the best a is the quantile of |error|/shape in which each row weighs as its shape; a floor can
    # but lower it.
    ratio = np.divide(abs_error, shape, out=np.full_like(shape, np.inf), where=shape > 0)
    order = np.argsort(ratio)
    share = np.cumsum(shape[order])
    widest = float(ratio[order[np.searchsorted(share, level * share[-1])]])
    best = minimize_scalar(loss, bounds=(0.0, widest), method="bounded", options={"xatol": 1e-6 * widest})
    a = min((0.0, float(best.x)), key=loss)
    return a, floor_of(a)
