"""What a method says about an observable: mean, standard deviation, stated bounds, samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from uqbench.errors import UqbenchError
from uqbench.normal_quantile import normal_quantile

Array: TypeAlias = NDArray[np.float64]

QUANTILE_TAIL = 5
"""Least number of samples beyond each end before sample quantiles are used for an interval."""


@dataclass(frozen=True)
class Interval:
    """Bounds at one level, and the rule that gave them: "quantile", "student" or "gaussian"."""

    lower: Array
    upper: Array
    rule: str


@dataclass(frozen=True)
class Prediction:
    """Predictions of n scalar observables of one kind, in the unit of that kind.

    mean: (n,).
    std: (n,), predictive standard deviation, or None where the method states bounds only.
    lower, upper: (n,), the bounds that the method states, or None. They hold the mean.
    nominal: the probability the method claims for the stated bounds; 1.0 for an envelope.
    samples: (m, n), draws or members, m >= 2, or None.

    Raises UqbenchError naming the field if shapes differ, a number is not finite, a std is negative, or
    the bounds do not enclose the mean.
    """

    mean: Array
    std: Array | None = None
    lower: Array | None = None
    upper: Array | None = None
    nominal: float | None = None
    samples: Array | None = None

    def __post_init__(self) -> None:
        mean = _checked("mean", self.mean, None)
        object.__setattr__(self, "mean", mean)
        for name in ("std", "lower", "upper"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _checked(name, value, mean.shape))
        if self.samples is not None:
            samples = np.asarray(self.samples)
            if samples.ndim != 2 or len(samples) < 2:
                raise UqbenchError(
                    f"Prediction.samples has shape {samples.shape}; (m, {len(mean)}) with m >= 2 is needed."
                )
            object.__setattr__(self, "samples", _checked("samples", samples, (len(samples), len(mean))))
        self._check_meaning()

    def _check_meaning(self) -> None:
        if self.std is not None and np.any(self.std < 0):
            raise UqbenchError(f"Prediction.std is negative (least: {self.std.min():g}).")
        if (self.lower is None) != (self.upper is None) or (self.lower is None) != (self.nominal is None):
            raise UqbenchError("Prediction: lower, upper and nominal go together; give all three or none.")
        if self.lower is not None and self.upper is not None and self.nominal is not None:
            if not 0.0 < self.nominal <= 1.0:
                raise UqbenchError(
                    f"Prediction.nominal is {self.nominal}; a probability in (0, 1] is needed."
                )
            slack = 1e-9 * (1.0 + np.abs(self.mean))
            outside = (self.mean < self.lower - slack) | (self.mean > self.upper + slack)
            if np.any(outside):
                i = int(np.flatnonzero(outside)[0])
                raise UqbenchError(
                    f"Prediction: entry {i} has mean {self.mean[i]:g} outside its stated bounds "
                    f"[{self.lower[i]:g}, {self.upper[i]:g}]."
                )

    def __len__(self) -> int:
        return len(self.mean)

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> Prediction:
        """The entries selected by an index or mask array (n,)."""

        def pick(values: Array | None) -> Array | None:
            return None if values is None else values[..., index]

        return Prediction(
            self.mean[index],
            pick(self.std),
            pick(self.lower),
            pick(self.upper),
            self.nominal,
            pick(self.samples),
        )

    def shifted(self, by: Array) -> Prediction:
        """The prediction with by (n,) added to mean, bounds and samples."""

        def add(values: Array | None) -> Array | None:
            return None if values is None else values + by

        return Prediction(
            self.mean + by, self.std, add(self.lower), add(self.upper), self.nominal, add(self.samples)
        )

    @staticmethod
    def concatenate(parts: Sequence[Prediction]) -> Prediction:
        """One prediction from parts that a method made of the same fields; no parts give an empty mean and std."""
        if not parts:
            return Prediction(np.empty(0), np.empty(0))

        def join(name: str) -> Array | None:
            values = [getattr(part, name) for part in parts]
            return None if values[0] is None else np.concatenate(values, axis=-1)

        return Prediction(
            np.concatenate([part.mean for part in parts]),
            join("std"),
            join("lower"),
            join("upper"),
            parts[0].nominal,
            join("samples"),
        )

    def interval(self, level: float) -> Interval | None:
        """Central interval at a level in (0, 1); None if the method states bounds only.

        From m samples: quantiles if m(1 - level)/2 >= 5, else Student's t with m - 1 degrees of freedom and
        scale s sqrt(1 + 1/m), because the quantiles of a few members cover far less than they say. From a
        standard deviation alone: Gaussian.
        """
        from scipy.special import stdtrit

        if not 0.0 < level < 1.0:
            raise UqbenchError(f"level is {level}; a probability strictly between 0 and 1 is needed.")
        tail = 0.5 * (1.0 + level)
        if self.samples is not None:
            m = len(self.samples)
            # The tolerance keeps 100 samples at 90 % (exactly 5 a side) from failing by rounding.
            if m * (1.0 - level) / 2.0 >= QUANTILE_TAIL - 1e-9:
                lower, upper = np.quantile(self.samples, [1.0 - tail, tail], axis=0)
                return Interval(lower, upper, "quantile")
            scale = self.samples.std(axis=0, ddof=1) * np.sqrt(1.0 + 1.0 / m)
            half = stdtrit(m - 1, tail) * scale
            return Interval(self.mean - half, self.mean + half, "student")
        if self.std is None:
            return None
        half = normal_quantile(level) * self.std
        return Interval(self.mean - half, self.mean + half, "gaussian")


def _checked(name: str, values: object, shape: tuple[int, ...] | None) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise UqbenchError(f"Prediction.{name} has dtype {array.dtype}; real numbers are needed.")
    array = array.astype(np.float64)
    if (shape is None and array.ndim != 1) or (shape is not None and array.shape != shape):
        wanted = "(n,)" if shape is None else str(shape)
        raise UqbenchError(f"Prediction.{name} has shape {array.shape}; {wanted} is needed.")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise UqbenchError(
            f"Prediction.{name} is {array[where]} at index {where} ({int((~finite).sum())} such values); "
            "finite numbers are needed."
        )
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class Predictions:
    """Predictions for a list of structures, concatenated in their order; a kind that is None is not given.

    energy: (n_structures,), energy per atom, eV.
    forces: (3 * total number of atoms,), atom by atom, x y z, eV/Å.
    stress: (6 * number of structures periodic in all three directions,), Voigt order xx yy zz yz xz xy,
        eV/Å³, ASE's sign (a compressed cell has negative stress).
    """

    energy: Prediction | None = None
    forces: Prediction | None = None
    stress: Prediction | None = None
