"""What a posterior says about a simulation result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array, Prediction
from uqbench.errors import UqbenchError

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Stated:
    """nominal: what the method claims for its bounds, 1.0 for an envelope. all: they hold all of its posterior, not a
    number of draws."""

    nominal: float
    all: bool


@dataclass(frozen=True)
class Outcome:
    """One property of one material.

    value: at the mean coefficients, or the mean of members; None where it does not exist. samples: (n,), of the
    potentials that have the property. noise_std: of a noise that has no potentials, or None. stated: which bounds the
    posterior states; None if none, then its 95 % interval speaks. exact: bounds of a property that is linear in the
    coefficients. corners: values of another one at the ends of the bounded posterior along ± its gradient. counts: of
    samples by fate. reasons: why some have no such property, the commonest first, then remarks. route: how samples were
    carried. seconds: "all" samples, "one" real computation. kappa: by which samples were scaled about their middle.
    """

    name: str
    unit: str
    compared_with: str
    value: float | None
    samples: Array
    noise_std: float | None
    stated: Stated | None
    exact: Bounds | None
    corners: Bounds | None
    counts: Mapping[str, int]
    reasons: tuple[str, ...]
    route: str
    seconds: Mapping[str, float]
    kappa: float

    def prediction(self) -> Prediction:
        """As any other observable; raises UqbenchError with the reason where there is no value or no spread."""
        why = f": {self.reasons[0]}" if self.reasons else ""
        if self.value is None:
            raise UqbenchError(f"{self.name} does not exist for the mean{why}")
        mean = np.array([self.value])
        if self.noise_std is not None:
            return Prediction(mean, np.array([self.noise_std]))
        if len(self.samples) < 2:
            raise UqbenchError(f"{self.name} exists for {len(self.samples)} samples; 2 are needed{why}")
        spread = self.samples[:, None]
        std = self.samples.std(ddof=1, keepdims=True)
        if self.stated is None:
            return Prediction(mean, std, samples=spread)
        held = [self.value, *self.samples]
        if self.stated.all:
            nominal = self.stated.nominal
            held += [*(self.exact or ()), *(self.corners or ())]
        else:
            # Another draw is as likely the least or the greatest as any of the n: their range claims no more.
            n = len(self.samples)
            nominal = min(self.stated.nominal, (n - 1) / (n + 1))
        lower, upper = np.array([min(held)]), np.array([max(held)])
        return Prediction(mean, std, lower, upper, nominal, spread)
