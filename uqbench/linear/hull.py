"""The POPS ensemble: the convex hull of the corrections themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, ParameterPosterior, Prediction
from uqbench.linear.arrays import Device
from uqbench.linear.corrections import Corrections

CHUNK = 1024


@dataclass(frozen=True)
class Hull(ParameterPosterior):
    """θ = mean + Δθ_n for one of the corrections; bounds are the support of their convex hull and the mean.

    nominal: the probability claimed for the bounds. The corrections stay where the rows are: every call passes
    over the training rows once. moment: (P, P), mean of Δw Δwᵀ, whitened.
    """

    mean: Array
    corrections: Corrections
    moment: Array
    nominal: float
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @classmethod
    def of(cls, corrections: Corrections, nominal: float = 1.0) -> Hull:
        """The hull of corrections; no pass over the rows."""
        moment = corrections.moment / len(corrections)
        facts = corrections.ridge.facts | {"n_corrections": float(len(corrections))}
        return cls(corrections.ridge.mean, corrections, moment, nominal, facts)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Bounds min and max of x·Δθ_n over n; std sqrt(xᵀΣx + xᵀSx), Σ the corrections' second moment."""
        z = self.corrections.ridge.whiten(rows)
        arrays = self.corrections.ridge.arrays
        std = arrays.get(arrays.xp.vecdot(z @ arrays.put(self.moment), z) + arrays.xp.vecdot(z, z)) ** 0.5
        lower, upper = self._extremes(z)
        mean = rows @ self.mean
        return Prediction(mean, std, mean + lower, mean + upper, self.nominal)

    def _extremes(self, z: Device) -> tuple[Array, Array]:
        """Least and greatest z · Δw_n, (n,) each, the mean (no correction) included."""
        arrays = self.corrections.ridge.arrays
        xp = arrays.xp
        lower, upper = arrays.zeros(len(z)), arrays.zeros(len(z))
        for block in self.corrections.whitened():
            for a in range(0, len(block), CHUNK):
                part = block[a : a + CHUNK].T
                for b in range(0, len(z), CHUNK):
                    rows = slice(b, b + CHUNK)
                    change = z[rows] @ part
                    lower[rows] = xp.minimum(lower[rows], xp.min(change, axis=1))
                    upper[rows] = xp.maximum(upper[rows], xp.max(change, axis=1))
        return arrays.get(lower), arrays.get(upper)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P): a random subset of the corrections (with repeats only if n exceeds their number)."""
        total = len(self.corrections)
        chosen = rng.choice(total, n, replace=n > total)
        picked = np.empty((n, len(self.mean)))
        start = 0
        for block in self.corrections.whitened():
            here = np.flatnonzero((chosen >= start) & (chosen < start + len(block)))
            ridge = self.corrections.ridge
            picked[here] = ridge.arrays.get(ridge.arrays.take(block, chosen[here] - start))
            start += len(block)
        return self.mean + picked @ self.corrections.ridge.whitener.T

    def support(self, directions: Array) -> tuple[Array, Array]:
        """Exact least and greatest directions · θ over the hull."""
        lower, upper = self._extremes(self.corrections.ridge.whiten(directions))
        centre = directions @ self.mean
        return centre + lower, centre + upper

    def extremes(self, direction: Array) -> Array:
        """The two corrections, or the mean, at which direction · θ is least and greatest."""
        ridge = self.corrections.ridge
        z = ridge.whiten(direction[None])
        best, found = [0.0, 0.0], np.zeros((2, len(self.mean)))
        for block in self.corrections.whitened():
            change = ridge.arrays.get(block @ z[0])
            for side, i in enumerate((change.argmin(), change.argmax())):
                if (change[i] < best[0]) if side == 0 else (change[i] > best[1]):
                    best[side], found[side] = change[i], ridge.arrays.get(block[int(i)])
        return self.mean + found @ ridge.whitener.T
