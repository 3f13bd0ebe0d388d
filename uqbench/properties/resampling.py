"""A property of each of many potentials, one by one: the truth for every faster way, and slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, LinearBackbone, Resampled, Status
from uqbench.properties.failures import NotConvergedError, UnstableError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


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
    computed = np.array(values).reshape(-1, len(names))
    return Resampled(names, computed, tuple(status), tuple(reasons), np.zeros(len(status), dtype=bool))


def potentials(backbone: LinearBackbone, elements: tuple[str, ...], samples: Array) -> Iterator[Calculator]:
    """The potential of each row of coefficients (n, P), made when its turn comes."""
    return (backbone.potential(theta, elements) for theta in samples)
