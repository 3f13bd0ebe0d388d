"""The POPS hypercube: a box around the corrections, along their principal directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, ParameterPosterior, Prediction
from uqbench.linear.arrays import Arrays, Device
from uqbench.linear.corrections import PointwiseCorrections

MODE_THRESHOLD = 1e-8


@dataclass(frozen=True)
class Box(ParameterPosterior):
    """θ = mean + axes · δ with δ uniform in [low, high], and the epistemic covariance of the mean.

    mean: (P,). axes: (P, m). low, high: (m,). epistemic: W (P, P), S = W Wᵀ. device: where rows are predicted.
    nominal: share of the corrections between both ends of an axis.
    """

    mean: Array
    axes: Array
    low: Array
    high: Array
    epistemic: Array
    device: str
    facts: Mapping[str, float | str] = field(default_factory=dict)
    nominal: float = 1.0

    @classmethod
    def around(
        cls, corrections: PointwiseCorrections, percentile: float, threshold: float = MODE_THRESHOLD
    ) -> Box:
        """Box along the eigenvectors of ΣΔθΔθᵀ (scaled columns), with exact support.

        Modes under `threshold` of the largest eigenvalue are dropped; percentile % of the projections are cut
        from each side. One pass over the rows.
        """
        scaled = corrections.ridge.whitener * corrections.ridge.column_scale[:, None]
        vectors = _modes(scaled @ corrections.moment @ scaled.T, threshold)
        axes = vectors / corrections.ridge.column_scale[:, None]
        return cls._along(corrections, axes, scaled.T @ vectors, percentile)

    @classmethod
    def whitened(
        cls, corrections: PointwiseCorrections, percentile: float, threshold: float = MODE_THRESHOLD
    ) -> Box:
        """Box along the principal directions of W⁻¹Δθ, S = W Wᵀ: lengths are those that the data resolve."""
        vectors = _modes(corrections.moment, threshold)
        return cls._along(corrections, corrections.ridge.whitener @ vectors, vectors, percentile)

    @classmethod
    def _along(
        cls, corrections: PointwiseCorrections, axes: Array, whitened_axes: Array, percentile: float
    ) -> Box:
        """Along axes (P, m), on which Δθ = W Δw has the lengths Δw · whitened_axes."""
        ridge = corrections.ridge
        to_modes = ridge.arrays.put(ridge.whitener @ whitened_axes)
        projected = (
            (ridge.arrays.put(block.rows) @ to_modes) * ridge.arrays.put(step)[:, None]
            for block, step in corrections.blocks()
        )
        low, high = _range(projected, ridge.arrays, len(corrections), percentile)
        facts = ridge.facts | {"modes": float(axes.shape[1])}
        return cls(ridge.mean, axes, low, high, ridge.whitener, ridge.device, facts, 1.0 - 0.02 * percentile)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Exact bounds x·(mean + axes c) ± |x axes|·r, c the centre and r the half-widths of the box.

        std is sqrt(xᵀΣx + xᵀSx), Σ the uncentred second moment of uniform δ. A box of few corrections need not
        hold the mean itself; the bounds of a prediction do.
        """
        arrays = Arrays(self.device)
        x = arrays.put(rows)
        mean, along = arrays.get(x @ arrays.put(self.mean)), x @ arrays.put(self.axes)
        shift, reach = self._support(arrays, along)
        variance = arrays.get(along**2 @ arrays.put((self.high - self.low) ** 2 / 12.0)) + shift**2
        std = np.sqrt(variance + arrays.squared_norms(x @ arrays.put(self.epistemic)))
        lower, upper = np.minimum(shift - reach, 0.0), np.maximum(shift + reach, 0.0)
        return Prediction(mean, std, mean + lower, mean + upper, self.nominal)

    def _support(self, arrays: Arrays, along: Device) -> tuple[Array, Array]:
        """Centre and half-width of along · δ over the box, (n,) each, for along (n, m)."""
        centre, radius = 0.5 * (self.low + self.high), 0.5 * (self.high - self.low)
        reach = arrays.xp.abs(along) @ arrays.put(radius)
        return arrays.get(along @ arrays.put(centre)), arrays.get(reach)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) uniform draws from the box."""
        return self.mean + rng.uniform(self.low, self.high, (n, len(self.low))) @ self.axes.T

    def support(self, directions: Array) -> tuple[Array, Array]:
        """Exact least and greatest directions · θ over the box."""
        shift, reach = self._support(Arrays(), directions @ self.axes)
        centre = directions @ self.mean + shift
        return centre - reach, centre + reach

    def extremes(self, direction: Array) -> Array:
        """The two corners of the box along a direction."""
        rising = direction @ self.axes > 0
        corners = np.where([~rising, rising], self.high, self.low)
        return self.mean + corners @ self.axes.T


def _modes(moment: Array, threshold: float) -> Array:
    """(P, m) eigenvectors of a second moment (P, P), but for those under threshold of the largest eigenvalue."""
    values, vectors = np.linalg.eigh(moment)
    return vectors[:, values > threshold * values[-1]]


def _range(blocks: Iterator[Device], arrays: Arrays, n: int, percentile: float) -> tuple[Array, Array]:
    """Percentiles (linear interpolation) of each column of n streamed rows; only the tails are kept."""
    if percentile == 0.0:
        xp = arrays.xp
        ends = [(arrays.get(xp.min(b, axis=0)), arrays.get(xp.max(b, axis=0))) for b in blocks]
        return np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)
    position = percentile / 100.0 * (n - 1)
    below = int(position)
    keep = min(below + 2, n)
    tails: list[Array] = []
    for sign, block in ((s, arrays.get(b)) for b in blocks for s in (1.0, -1.0)):
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
