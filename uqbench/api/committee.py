"""Potentials that are there already, as ASE calculators, and what a method for them reads and returns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from numpy.random import Generator

from uqbench.api.backbone import Backbone
from uqbench.api.frame import Frame
from uqbench.api.method import Method
from uqbench.api.network import Properties
from uqbench.api.posterior import Posterior

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class Potential(Protocol):
    """What predicts structures, and is an ASE calculator. device: "cpu" or "cuda"."""

    def predict(self, structures: Sequence[Atoms], device: str = "cpu") -> Sequence[Properties]:
        """Energy, forces and stress of each structure. Raises UqbenchError where one cannot be predicted."""
        ...

    def calculator(self, device: str = "cpu") -> Calculator:
        """The same as an ASE calculator."""
        ...


class CommitteeMember(Potential, Protocol):
    """One calculator of a committee."""

    @property
    def name(self) -> str:
        """For people: its number and its class or file."""
        ...

    def aligned(self, offsets: Mapping[str, float]) -> CommitteeMember:
        """The member with an energy (eV) added for every atom of an element; it knows no other elements."""
        ...


class CalculatorBackbone(Backbone):
    """A list of finished potentials: nothing is trained, and only methods for committees run on it."""

    by_default: ClassVar[bool] = False

    @abstractmethod
    def calculators(self, device: str) -> Sequence[tuple[str, Calculator]]:
        """Names and calculators, at least two, made anew in the process that asks: few of them can be pickled.

        Raises UqbenchError where they cannot be made.
        """


@dataclass(frozen=True)
class CommitteeProblem:
    """What a method for committees is fitted to: training frames, and members whose energy zeros are their own."""

    frames: Sequence[Frame]
    elements: tuple[str, ...]
    members: Sequence[CommitteeMember]


class CommitteeMethod(Method):
    """A method for finished potentials: it says what they are uncertain of, and trains none."""

    @abstractmethod
    def fit(self, problem: CommitteeProblem, rng: Generator) -> Posterior:
        """Fit to the training frames; all randomness comes from rng."""
