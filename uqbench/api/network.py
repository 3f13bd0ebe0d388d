"""What a method for networks reads and returns: training frames in, a posterior over potentials out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from numpy.random import Generator

from uqbench.api.backbone import Backbone
from uqbench.api.frame import Frame
from uqbench.api.method import Method
from uqbench.api.posterior import Posterior
from uqbench.api.prediction import Array

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

Say = Callable[[str], None]


@dataclass(frozen=True)
class Properties:
    """energy: total, eV. forces: (n_atoms, 3), eV/Å. stress: (6,), eV/Å³, ASE's order and sign, or None."""

    energy: float
    forces: Array
    stress: Array | None


class TrainedNetwork(Protocol):
    """A network with its weights. device: "cpu" or "cuda".

    predict and calculator() give total energies, references included; rows, weights and potential() speak of what
    its last layer adds to them, as those of a LinearBackbone do.
    """

    @property
    def weights(self) -> Array:
        """(P,) the coefficients of its own last layer."""
        ...

    @property
    def curve(self) -> Sequence[Mapping[str, float]]:
        """One entry an epoch: epoch, losses and errors, and "seconds" and "cpu_seconds" since training began."""
        ...

    @property
    def stopped(self) -> str:
        """Why training ended before its time, else empty."""
        ...

    def predict(self, structures: Sequence[Atoms], device: str = "cpu") -> Sequence[Properties]:
        """Energy, forces and stress of each structure, in batches.

        Raises UqbenchError for an element unseen in training.
        """
        ...

    def rows(self, structures: Sequence[Atoms], device: str = "cpu") -> Iterator[Array]:
        """Design rows (1 + 3N [+ 6], P) of each structure in turn; see LinearBackbone.rows."""
        ...

    def calculator(self, device: str = "cpu") -> Calculator:
        """The network as an ASE calculator (energy, forces, stress)."""
        ...

    def potential(self, values: Array, device: str = "cpu") -> Calculator:
        """An ASE calculator with other coefficients (P,): rows times values."""
        ...

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        ...


class NetworkBackbone(Backbone):
    """A potential that is trained: methods for networks run on it, and linear methods on its last layer."""

    @abstractmethod
    def train(
        self,
        frames: Sequence[Frame],
        elements: tuple[str, ...],
        references: Mapping[str, float],
        seed: int,
        device: str,
        checkpoint: Path,
        say: Say,
    ) -> TrainedNetwork:
        """Train on frames; what early stopping needs is carved out of them. The same seed gives the same network.

        references: energy (eV) of each element, taken off before training. checkpoint: written as training goes
        on, and gone on from if it is there. Raises UqbenchError where no network comes of it.
        """

    @abstractmethod
    def load(self, path: Path) -> TrainedNetwork:
        """Read what TrainedNetwork.save wrote; raises UqbenchError for any other file."""


@dataclass(frozen=True)
class NetworkProblem:
    """What a method for networks is fitted to.

    references: energy (eV) of each element. device: where networks are trained and predict. train(member): the
    network of that number, trained or, if there is one already, read; number 0 is the one whose last layer linear
    methods use. Its cost is counted as it was when it was trained. Raises UqbenchError where training fails.
    """

    frames: Sequence[Frame]
    elements: tuple[str, ...]
    references: Mapping[str, float]
    device: str
    train: Callable[[int], TrainedNetwork]


class NetworkMethod(Method):
    """A method for any network backbone: it has networks trained, and says what they are uncertain of."""

    @abstractmethod
    def fit(self, problem: NetworkProblem, rng: Generator) -> Posterior:
        """Fit to the training frames; all randomness but that of the networks comes from rng."""
