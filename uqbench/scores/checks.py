"""Checks that scores share: ill-posed input is an error that says what is wrong, never a nan."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.errors import UqbenchError


def vectors(**named: ArrayLike) -> tuple[Array, ...]:
    """The named arguments as float64 arrays (n,) of one length n >= 1, in the order given.

    Raises UqbenchError naming the argument that is empty, of another shape or not finite.
    """
    arrays: dict[str, Array] = {name: np.asarray(values, dtype=np.float64) for name, values in named.items()}
    first, shape = next((name, array.shape) for name, array in arrays.items())
    for name, array in arrays.items():
        if array.ndim != 1 or array.shape != shape:
            raise UqbenchError(
                f"{name} has shape {array.shape}; (n,) is needed, the same as {first} {shape}."
            )
        if array.size == 0:
            raise UqbenchError(f"{name} is empty; a score needs at least one observation.")
        require(np.isfinite(array), array, name, "finite numbers are needed")
    return tuple(arrays.values())


def require(holds: np.ndarray, values: Array, name: str, needed: str) -> None:
    """Raise UqbenchError naming the first of values (n,) where the condition (n,) does not hold."""
    if not holds.all():
        first = int(np.flatnonzero(~holds)[0])
        raise UqbenchError(
            f"{name} is {values[first]:g} at entry {first} ({int((~holds).sum())} of {len(values)} such entries); "
            f"{needed}."
        )


def check_std(std: Array) -> None:
    """Raise UqbenchError unless every standard deviation (n,) is positive."""
    require(
        std > 0.0, std, "std", "a positive standard deviation is needed; calibrate with an additive floor"
    )


def check_bounds(lower: Array, upper: Array) -> None:
    """Raise UqbenchError unless every interval [lower, upper], both (n,), has a positive width."""
    require(upper > lower, upper - lower, "interval width", "intervals of positive width are needed")


def check_level(level: float) -> None:
    """Raise UqbenchError unless a level is a probability strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise UqbenchError(f"level is {level}; a probability strictly between 0 and 1 is needed.")


def labels(group: ArrayLike, n: int, name: str) -> np.ndarray:
    """Labels (n,), one an observation; raises UqbenchError for another shape."""
    array = np.asarray(group)
    if array.shape != (n,):
        raise UqbenchError(f"{name} has shape {array.shape}; ({n},) is needed, one label an observation.")
    return array


def is_constant(values: Array) -> bool:
    """Whether values (n,) are equal up to rounding, so that they cannot rank anything."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def order(level: float, n: int | Array) -> Array:
    """⌈level · n⌉, safe against 0.07 * 100 = 7.000000000000001 and its like."""
    return np.ceil(level * np.asarray(n, dtype=np.float64) - 1e-9)
