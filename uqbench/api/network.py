"""What a method for networks reads and returns: training frames in, a posterior over potentials out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, runtime_checkable

from numpy.random import Generator

from uqbench.api.backbone import Backbone
from uqbench.api.frame import Frame
from uqbench.api.method import Method
from uqbench.api.posterior import Posterior
from uqbench.api.prediction import Array
from uqbench.api.variant import NoiseHead, Readouts, Variant
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

Say = Callable[[str], None]
Kept = TypeVar("Kept")


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
    def cutoff(self) -> float:
        """Distance, Å, at which atoms stop to be neighbours."""
        ...

    @property
    def layers(self) -> int:
        """How many cutoffs far an atom is felt."""
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


class Noise(Protocol):
    """Gaussian noise of the total energy (eV) and the forces (eV/Å) of one structure about a network's own."""

    def variances(self) -> Array:
        """(1 + 3N,) of the energy, then of force components atom by atom, x y z."""
        ...

    def covariance(self) -> Array:
        """(1 + 3N, 1 + 3N) in the order of variances, which are its diagonal."""
        ...


@runtime_checkable
class NoisyNetwork(TrainedNetwork, Protocol):
    """A network with a noise head."""

    def noise(
        self, structures: Sequence[Atoms], device: str = "cpu", site_local: bool = False
    ) -> Sequence[Noise]:
        """Noise of each structure, in batches.

        site_local: that of independent processes, one a site, which rigid translations leave alone. Raises
        UqbenchError where the head has no such law, and for an element unseen in training.
        """
        ...


@runtime_checkable
class CommitteeNetwork(TrainedNetwork, Protocol):
    """A network with several readouts; as a TrainedNetwork it is the potential of their mean."""

    def predict_members(
        self, structures: Sequence[Atoms], device: str = "cpu"
    ) -> Sequence[Sequence[Properties]]:
        """What predict gives, readout by readout, each for all structures."""
        ...

    def member_calculators(self, device: str = "cpu") -> Sequence[Calculator]:
        """Each readout's potential as an ASE calculator."""
        ...


def _unheard(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, eq=False)
class NetworkRequest:
    """A network that is asked for: the same request gives the same network.

    references: energy (eV) of each element, taken off before training. seed: of all that is random. device: where it is
    trained. variant: None for a plain potential. start: the plain network of the same, where variant.from_plain.
    checkpoint: file written as training goes on, and gone on from if it is there. say: told how training goes.
    """

    frames: Sequence[Frame]
    elements: tuple[str, ...]
    references: Mapping[str, float]
    seed: int
    device: str = "cpu"
    variant: Variant | None = None
    start: TrainedNetwork | None = None
    checkpoint: Path | None = None
    say: Say = _unheard


class NetworkBackbone(Backbone):
    """A potential that is trained: methods for networks run on it, and linear methods on its last layer.

    variants: the kinds of network that it can train beside plain ones.
    """

    variants: ClassVar[tuple[type[Variant], ...]] = ()

    @property
    def seeded(self) -> bool:
        """Whether another seed gives another network, so that there is an ensemble of them."""
        return True

    @abstractmethod
    def train(self, request: NetworkRequest) -> TrainedNetwork:
        """Train on the frames; what early stopping needs is carved out of them.

        Gives a NoisyNetwork for a NoiseHead and a CommitteeNetwork for Readouts; no other variants than its own are
        asked of it. Raises UqbenchError where no network comes of it.
        """

    @abstractmethod
    def load(self, path: Path) -> TrainedNetwork:
        """Read what TrainedNetwork.save wrote; raises UqbenchError for any other file."""


class Train(Protocol):
    """Has a network trained, or reads it if there is one already."""

    def __call__(self, member: int, variant: Variant | None = None) -> TrainedNetwork:
        """The network of that number; None: a plain one."""
        ...


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
    train: Train

    def noisy(self, member: int, head: NoiseHead) -> NoisyNetwork:
        """The network of that number with a noise head.

        Raises NotApplicable where the backbone knows none, UqbenchError where training fails.
        """
        return self._of_kind(NoisyNetwork, member, head)

    def committee(self, member: int, readouts: Readouts) -> CommitteeNetwork:
        """The network of that number with several readouts; see noisy."""
        return self._of_kind(CommitteeNetwork, member, readouts)

    def _of_kind(self, kind: type[Kept], member: int, variant: Variant) -> Kept:
        network = self.train(member, variant)
        if not isinstance(network, kind):
            raise UqbenchError(
                f"the backbone gave a {type(network).__name__} for {variant}; a {kind.__name__} is needed."
            )
        return network


class NetworkMethod(Method):
    """A method for any network backbone: it has networks trained, and says what they are uncertain of."""

    @abstractmethod
    def fit(self, problem: NetworkProblem, rng: Generator) -> Posterior:
        """Fit to the training frames; all randomness but that of the networks comes from rng."""
