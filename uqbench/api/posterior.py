"""What fitting gives, and what it may offer beyond predictions (capabilities, asked for by type)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from uqbench.api.prediction import Array, Predictions

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from uqbench.api.backbone import LinearBackbone
    from uqbench.api.linear import ParameterPosterior


class Posterior(ABC):
    """A fitted method: it predicts energy per atom, forces and stress of any structures."""

    facts: Mapping[str, float | str]
    """What a reader of the record should know."""

    @abstractmethod
    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Predictions for structures, in their order; an empty list gives empty Predictions.

        Raises UqbenchError for an element that was not in the training set.
        """


@runtime_checkable
class HasParameters(Protocol):
    """A linear model with a posterior over its coefficients: implicit differentiation works."""

    @property
    def backbone(self) -> LinearBackbone:
        """The backbone whose rows the coefficients multiply."""
        ...

    @property
    def parameters(self) -> ParameterPosterior:
        """The posterior over the coefficients."""
        ...

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements of the training set, in the order of the backbone's columns."""
        ...


@runtime_checkable
class HasMembers(Protocol):
    """A set of potentials: a property is computed for each."""

    def members(self) -> Sequence[Calculator]:
        """One ASE calculator a member."""
        ...


@runtime_checkable
class HasJointNoise(Protocol):
    """A joint covariance of energy and forces about one potential (correlated-noise heads)."""

    def mean_potential(self) -> Calculator:
        """The potential of the mean."""
        ...

    def joint_covariance(self, structure: Atoms) -> Array:
        """(1 + 3N, 1 + 3N) covariance of total energy (eV) and forces (eV/Å) of one structure."""
        ...
