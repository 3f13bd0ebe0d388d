"""A property of each of many potentials, one by one: the truth for every faster way, and slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearBackbone
from uqbench.errors import UqbenchError
from uqbench.properties.failures import NotConvergedError, UnstableError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

Status = Literal["ok", "unstable", "not converged"]


@dataclass(frozen=True)
class Resampled:
    """Values of k properties for n potentials; statistics are conditional on those that have them.

    names: (k,). values: (n, k), nan where a potential has no such property. status: (n,). reasons: (n,), why,
    "" where all is well.
    """

    names: tuple[str, ...]
    values: Array
    status: tuple[Status, ...]
    reasons: tuple[str, ...]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """(n,) which potentials have the properties."""
        return np.array([status == "ok" for status in self.status], dtype=bool)

    @property
    def counts(self) -> dict[Status, int]:
        """How many potentials there are of each status."""
        return {status: self.status.count(status) for status in get_args(Status)}

    def of(self, name: str) -> Array:
        """(n,) values of one property."""
        if name not in self.names:
            raise UqbenchError(f"no property {name!r} was computed; there are {', '.join(self.names)}.")
        return self.values[:, self.names.index(name)]


def resample(
    names: tuple[str, ...],
    measure: Callable[[Calculator], Mapping[str, float]],
    potentials: Iterable[Calculator],
) -> Resampled:
    """Measure the named properties of every potential.

    measure says by UnstableError or NotConvergedError that a potential has no such property: that is recorded,
    never dropped. Any other error is the caller's.
    """
    values: list[list[float]] = []
    status: list[Status] = []
    reasons: list[str] = []
    for potential in potentials:
        try:
            found = measure(potential)
        except (UnstableError, NotConvergedError) as error:
            values.append([np.nan] * len(names))
            status.append("unstable" if isinstance(error, UnstableError) else "not converged")
            reasons.append(str(error))
        else:
            values.append([found[name] for name in names])
            status.append("ok")
            reasons.append("")
    return Resampled(names, np.array(values).reshape(-1, len(names)), tuple(status), tuple(reasons))


def potentials(backbone: LinearBackbone, elements: tuple[str, ...], samples: Array) -> Iterator[Calculator]:
    """The potential of each row of coefficients (n, P), made when its turn comes."""
    return (backbone.potential(theta, elements) for theta in samples)
