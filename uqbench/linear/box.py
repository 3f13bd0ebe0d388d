"""The POPS hypercube: a box around the corrections, along their principal directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, ParameterPosterior, Prediction
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.posteriors import squared_norms

MODE_THRESHOLD = 1e-8
CHUNK = 1024


@dataclass(frozen=True)
class Box(ParameterPosterior):
    """θ = mean + axes · δ with δ uniform in [low, high], and the epistemic covariance of the mean.

    mean: (P,). axes: (P, m). low, high: (m,). epistemic: W (P, P), S = W Wᵀ. draws: (M, m) of δ, from which
    bounds are the least and greatest (as published); None for the exact support of the box.
    """

    mean: Array
    axes: Array
    low: Array
    high: Array
    epistemic: Array
    draws: Array | None
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @classmethod
    def around(cls, corrections: PointwiseCorrections, percentile: float) -> Box:
        """Box along the eigenvectors of ΣΔθΔθᵀ (scaled columns), with exact support.

        Modes under 1e-8 of the largest eigenvalue are dropped; percentile % of the projections are cut from
        each side. One pass over the rows.
        """
        ridge = corrections.ridge
        scaled = ridge.whitener * ridge.column_scale[:, None]
        values, vectors = np.linalg.eigh(scaled @ corrections.moment @ scaled.T)
        vectors = vectors[:, values > MODE_THRESHOLD * values[-1]]
        to_modes = ridge.whitener @ (scaled.T @ vectors)
        projected = ((block.rows @ to_modes) * step[:, None] for block, step in corrections.blocks())
        low, high = _range(projected, len(corrections), percentile)
        axes = vectors / ridge.column_scale[:, None]
        facts = ridge.facts | {"modes": float(axes.shape[1])}
        return cls(ridge.mean, axes, low, high, ridge.whitener, None, facts)

    def sampled(self, n: int, rng: Generator) -> Box:
        """The same box with bounds from n uniform draws, as published."""
        draws = rng.uniform(self.low, self.high, (n, len(self.low)))
        facts = {**self.facts, "n_samples": float(n)}
        return Box(self.mean, self.axes, self.low, self.high, self.epistemic, draws, facts)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Bounds of the envelope, and std sqrt(xᵀΣx + xᵀSx), Σ the uncentred second moment of δ."""
        mean, along = rows @ self.mean, rows @ self.axes
        lower, upper = self._extremes(along)
        if self.draws is None:
            centre = 0.5 * (self.low + self.high)
            misspecified = along**2 @ ((self.high - self.low) ** 2 / 12.0) + (along @ centre) ** 2
        else:
            moment = self.draws.T @ self.draws / len(self.draws)
            misspecified = np.einsum("nm,nm->n", along @ moment, along)
        std = np.sqrt(misspecified + squared_norms(rows @ self.epistemic))
        # The box of few corrections need not hold the mean itself; the bounds of a prediction do.
        return Prediction(mean, std, mean + np.minimum(lower, 0.0), mean + np.maximum(upper, 0.0), 1.0)

    def _extremes(self, along: Array) -> tuple[Array, Array]:
        if self.draws is None:
            centre, radius = 0.5 * (self.low + self.high), 0.5 * (self.high - self.low)
            shift, reach = along @ centre, np.abs(along) @ radius
            return shift - reach, shift + reach
        lower, upper = np.empty(len(along)), np.empty(len(along))
        for start in range(0, len(along), CHUNK):
            change = along[start : start + CHUNK] @ self.draws.T
            lower[start : start + CHUNK] = change.min(axis=1)
            upper[start : start + CHUNK] = change.max(axis=1)
        return lower, upper

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) uniform draws from the box."""
        return self.mean + rng.uniform(self.low, self.high, (n, len(self.low))) @ self.axes.T

    def support(self, directions: Array) -> tuple[Array, Array]:
        """Exact least and greatest directions · θ over the box, whatever the bounds of predictions are."""
        along, centre = directions @ self.axes, directions @ self.mean
        shift = along @ (0.5 * (self.low + self.high))
        reach = np.abs(along) @ (0.5 * (self.high - self.low))
        return centre + shift - reach, centre + shift + reach


def _range(blocks: Iterator[Array], n: int, percentile: float) -> tuple[Array, Array]:
    """Percentiles (linear interpolation) of each column of n streamed rows; only the tails are kept."""
    if percentile == 0.0:
        ends = [(block.min(axis=0), block.max(axis=0)) for block in blocks]
        return np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)
    position = percentile / 100.0 * (n - 1)
    below = int(position)
    keep = min(below + 2, n)
    tails: list[Array] = []
    for sign, block in ((s, b) for b in blocks for s in (1.0, -1.0)):
        index = 0 if sign > 0 else 1
        merged = sign * block if len(tails) <= index else np.concatenate([tails[index], sign * block])
        if len(merged) > keep:
            merged = np.partition(merged, keep - 1, axis=0)[:keep]
        if len(tails) <= index:
            tails.append(merged)
        else:
            tails[index] = merged
    ends = []
    for tail in tails:
        ordered = np.sort(tail, axis=0)
        ends.append(
            ordered[below] + (position - below) * (ordered[min(below + 1, keep - 1)] - ordered[below])
        )
    return ends[0], -ends[1]
