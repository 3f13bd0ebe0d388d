"""A simulation result of a potential, and how uncertainty of the potential gets through to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from uqbench.api.prediction import Array
from uqbench.api.task import NotApplicable
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from uqbench.api.backbone import LinearBackbone

Status = Literal["ok", "unstable", "not converged"]


@dataclass(frozen=True)
class Resampled:
    """Values of k properties for n potentials; statistics are conditional on those that have them.

    names: (k,). values: (n, k), nan where a potential has no such property. status: (n,). reasons: (n,), why not,
    or what is to be said of one that has it, else "". accepted: (n,) True where a cheaper route was taken than a
    computation with the potential itself.
    """

    names: tuple[str, ...]
    values: Array
    status: tuple[Status, ...]
    reasons: tuple[str, ...]
    accepted: NDArray[np.bool_]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """(n,) which potentials have the properties."""
        return np.array([status == "ok" for status in self.status], dtype=bool)

    @property
    def counts(self) -> dict[str, int]:
        """How many potentials there are of each status."""
        return {status: self.status.count(status) for status in get_args(Status)}

    def of(self, name: str) -> Array:
        """(n,) values of one property."""
        if name not in self.names:
            raise UqbenchError(f"no property {name!r} was computed; there are {', '.join(self.names)}.")
        return self.values[:, self.names.index(name)]

    def part(self, start: int, stop: int) -> Resampled:
        """Those of the potentials from start on, before stop."""
        cut = slice(start, stop)
        return Resampled(
            self.names, self.values[cut], self.status[cut], self.reasons[cut], self.accepted[cut]
        )

    def and_then(self, other: Resampled) -> Resampled:
        """Followed by the same properties of other potentials."""
        return Resampled(
            self.names,
            np.concatenate([self.values, other.values]),
            self.status + other.status,
            self.reasons + other.reasons,
            np.concatenate([self.accepted, other.accepted]),
        )


Propagator = Callable[[Array], Resampled]
"""Properties of coefficients (n, P)."""


class Quantity(ABC):
    """Properties that are computed together; a frozen dataclass.

    Only `measure` must be written; the other routes are faster or exact where a property allows them.
    """

    @property
    @abstractmethod
    def units(self) -> Mapping[str, str]:
        """The properties by name, each with its unit."""

    @property
    def references(self) -> Mapping[str, str]:
        """The reference that a property is compared with, where it has another name."""
        return {}

    @abstractmethod
    def measure(self, potential: Calculator) -> Mapping[str, float]:
        """The properties of one potential.

        Raises uqbench.properties.failures' UnstableError or NotConvergedError where it has none.
        """

    def measure_one(self, name: str, potential: Calculator) -> float:
        """One of the properties, for when it takes less than all of them. Raises as measure does."""
        return self.measure(potential)[name]

    def propagator(
        self, backbone: LinearBackbone, elements: tuple[str, ...], mean: Array, samples: Array
    ) -> Propagator | None:
        """A faster route to the properties of coefficients near the mean (P,), set up; None if there is none.

        samples: (n, P), all that it will be asked for, in one piece or several. Raises as measure does where the
        mean itself has no such property.
        """
        return None

    def rows(self, backbone: LinearBackbone, elements: tuple[str, ...]) -> Mapping[str, Array]:
        """Rows (P,) of the properties that are linear in the coefficients: their bounds are exact."""
        return {}

    def remarks(self, backbone: LinearBackbone) -> tuple[str, ...]:
        """What a reader should know of the computation with this backbone."""
        return ()

    def noise_variance(self, variance: Callable[[Atoms], float]) -> Mapping[str, float]:
        """Variances of the properties under noise of the energy alone, independent between structures.

        variance: of the total energy of a structure, eV². Raises NotApplicable where that says nothing.
        """
        raise NotApplicable(
            "noise of energies and forces has no law for derivatives with respect to strain; use an ensemble, whose "
            "members are potentials."
        )
