"""Two plain posteriors over coefficients: a Gaussian and a set of members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, Kind, ParameterPosterior, Prediction
from uqbench.linear.arrays import Arrays


@dataclass(frozen=True)
class Gaussian(ParameterPosterior):
    """θ ~ N(mean, W Wᵀ), and independent noise a kind.

    mean: (P,). factor: W (P, r), r = 0 for a point estimate. noise: standard deviation of each kind in its
    unit; a kind that is missing has none. device: where rows are predicted (see uqbench.linear.arrays).
    """

    mean: Array
    factor: Array
    noise: Mapping[Kind, float]
    facts: Mapping[str, float | str] = field(default_factory=dict)
    device: str = "cpu"

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Mean and standard deviation sqrt(xᵀ W Wᵀ x + noise²)."""
        arrays = Arrays(self.device)
        x = arrays.put(rows)
        variance = arrays.squared_norms(x @ arrays.put(self.factor)) + self.noise.get(kind, 0.0) ** 2
        return Prediction(arrays.get(x @ arrays.put(self.mean)), np.sqrt(variance))

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) draws of θ (without the noise, which is not a property of the potential)."""
        return self.mean + rng.standard_normal((n, self.factor.shape[1])) @ self.factor.T


@dataclass(frozen=True)
class Samples(ParameterPosterior):
    """A committee of linear fits; predictions are the members' own.

    members: (M, P). The mean is that of the members. device: where rows are predicted.
    """

    members: Array
    facts: Mapping[str, float | str] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def mean(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(P,)"""
        return self.members.mean(axis=0)

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Mean and spread (ddof = 1) of the members; intervals follow from the samples."""
        arrays = Arrays(self.device)
        samples = arrays.get(arrays.put(self.members) @ arrays.put(rows).T)
        return Prediction(samples.mean(axis=0), samples.std(axis=0, ddof=1), samples=samples)

    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) members in random order, all of them before any comes again."""
        return self.members[np.resize(rng.permutation(len(self.members)), n)]
