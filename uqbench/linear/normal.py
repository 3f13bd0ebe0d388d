"""Streaming normal equations: all that a linear fit needs of the rows, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from uqbench.api import KINDS, Array, Kind, LinearProblem, Weights
from uqbench.errors import UqbenchError
from uqbench.linear.arrays import Arrays


@dataclass(frozen=True)
class NormalEquations:
    """Per kind k: G_k = Σ xxᵀ, b_k = Σ yx, Σ y² and the number of rows, columns scaled to unit RMS.

    kinds: the K kinds present. gram: (K, P, P). moment: (K, P). square, count: (K,).
    column_scale: (P,), RMS of each column over all weighted rows (1 for a column of zeros); scaled
    coefficients are θ * column_scale. weights: see LinearProblem.
    """

    kinds: tuple[Kind, ...]
    gram: Array
    moment: Array
    square: Array
    count: Array
    column_scale: Array
    device: str
    weights: Weights

    def precisions(self, alpha: Array, traces: Array, square: Array) -> Array:
        """α_k by MacKay 1992's update (n_k − α_k tr SG_k)/‖y_k − X_k m‖², the same for all kinds if weights are stated.

        alpha: before it. traces: tr SG_k. square: squared residuals of each kind. All (K,).
        """
        left = self.count - alpha * traces
        if self.weights == "stated":
            left, square = np.full_like(left, left.sum()), np.full_like(left, square.sum())
        # Rounding can take the count of free labels to zero when P > n; a precision stays positive.
        return np.maximum(left / square, 1e-12 * alpha)

    def noise(self, alpha: Array, traces: Array, square: Array) -> Array:
        """Standard deviation of the noise of each kind, (K,), from its own residuals; arguments as above."""
        return 1.0 / np.sqrt(replace(self, weights="evidence").precisions(alpha, traces, square))


def accumulate(problem: LinearProblem) -> NormalEquations:
    """One pass over the rows (methods: MacKay 1992's sufficient statistics, one set a kind).

    Memory is K P² whatever the number of rows. Raises UqbenchError if a row or label is not finite.
    """
    kinds: tuple[Kind, ...] = tuple(k for k in KINDS if problem.counts.get(k))
    where = {k: i for i, k in enumerate(kinds)}
    p = problem.n_features
    arrays = Arrays(problem.device)
    grams = [arrays.zeros(p, p) for _ in kinds]
    moment = np.zeros((len(kinds), p))
    square, count = np.zeros(len(kinds)), np.zeros(len(kinds))
    for block in problem.blocks():
        for kind, part in block.parts():
            i, rows, labels = where[kind], arrays.put(block.rows[part]), block.labels[part]
            grams[i] += rows.T @ rows
            moment[i] += arrays.get(arrays.put(labels) @ rows)
            square[i] += labels @ labels
            count[i] += len(labels)
    gram = np.stack([arrays.get(g) for g in grams])
    if not (np.isfinite(gram).all() and np.isfinite(moment).all() and np.isfinite(square).all()):
        raise UqbenchError(
            "the design rows or labels hold a number that is not finite; check the backbone's rows."
        )
    rms = np.sqrt(np.einsum("kpp->p", gram) / count.sum())
    scale = np.where(rms > 0.0, rms, 1.0)
    return NormalEquations(
        kinds,
        gram / np.outer(scale, scale),
        moment / scale,
        square,
        count,
        scale,
        problem.device,
        problem.weights,
    )
