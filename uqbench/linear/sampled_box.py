"""Bounds over M points of a box that are drawn anew on every pass and never all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.random import Generator, default_rng

from uqbench.api import Array, Kind, ParameterPosterior, Prediction
from uqbench.linear.arrays import Arrays
from uqbench.linear.box import Box

Sequence: TypeAlias = Literal["uniform", "sobol", "latin", "halton"]

BLOCK = 1024
"""A power of two, as Sobol' sequences need."""


@dataclass(frozen=True)
class BoxDraws:
    """The same n points in the box [low, high] on every pass, in blocks (b, m).

    sequence: "uniform", or scipy.stats.qmc's scrambled Sobol', Latin hypercube or Halton points. The strata of a
    Latin hypercube are dealt to all points at once, so its n × m numbers come as one block.
    """

    low: Array
    high: Array
    n: int
    sequence: Sequence
    seed: int

    def __iter__(self) -> Iterator[Array]:
        from scipy.stats import qmc

        m, rng = len(self.low), default_rng(self.seed)
        if self.sequence == "latin":
            yield self._scaled(qmc.LatinHypercube(m, rng=rng).random(self.n))
            return
        engine = None
        if self.sequence != "uniform":
            engine = (qmc.Sobol if self.sequence == "sobol" else qmc.Halton)(m, rng=rng)
        for start in range(0, self.n, BLOCK):
            b = min(BLOCK, self.n - start)
            yield self._scaled(rng.random((b, m)) if engine is None else engine.random(b))

    def _scaled(self, unit: Array) -> Array:
        return self.low + (self.high - self.low) * unit


@dataclass(frozen=True)
class SampledBox(ParameterPosterior):
    """A box whose bounds are the least and greatest over given points, and whose spread is theirs.

    What the bounds claim is what the box does, though they lie within its own.

    draws: blocks (b, m) of points δ along the axes of the box, the same on every pass. moment: (m, m), their
    uncentred second moment.
    """

    box: Box
    draws: Iterable[Array]
    moment: Array
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @classmethod
    def of(cls, box: Box, draws: Iterable[Array]) -> SampledBox:
        """One pass over the points."""
        n, moment = 0, np.zeros((len(box.low), len(box.low)))
        for block in draws:
            n += len(block)
            moment += block.T @ block
        return cls(box, draws, moment / n, {**box.facts, "n_samples": float(n)})

    @property
    def mean(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(P,)"""
        return self.box.mean

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Bounds over the points and the mean; std sqrt(xᵀΣx + xᵀSx), Σ the points' second moment."""
        arrays = Arrays(self.box.device)
        xp, x = arrays.xp, arrays.put(rows)
        mean, along = arrays.get(x @ arrays.put(self.box.mean)), x @ arrays.put(self.box.axes)
        misspecified = arrays.get(xp.vecdot(along @ arrays.put(self.moment), along))
        std = np.sqrt(misspecified + arrays.squared_norms(x @ arrays.put(self.box.epistemic)))
        least, most = arrays.zeros(len(rows)), arrays.zeros(len(rows))
        for draws in self.draws:
            for a in range(0, len(draws), BLOCK):
                points = arrays.put(draws[a : a + BLOCK]).T
                for b in range(0, len(rows), BLOCK):
                    part = slice(b, b + BLOCK)
                    change = along[part] @ points
                    least[part] = xp.minimum(least[part], xp.min(change, axis=1))
                    most[part] = xp.maximum(most[part], xp.max(change, axis=1))
        lower, upper = arrays.get(least), arrays.get(most)
        return Prediction(mean, std, mean + lower, mean + upper, self.box.nominal)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) uniform draws from the box."""
        return self.box.samples(n, rng)

    def support(self, directions: Array) -> tuple[Array, Array]:
        """Exact least and greatest directions · θ over the box, whatever the bounds of predictions are."""
        return self.box.support(directions)

    def extremes(self, direction: Array) -> Array:
        """The two corners of the box along a direction."""
        return self.box.extremes(direction)
