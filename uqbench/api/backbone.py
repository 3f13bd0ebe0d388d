"""The model whose uncertainty is asked for: here, linear ones (networks: uqbench.api.network)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from uqbench.api.prediction import Array

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Origin:
    """What a backbone is made from beside its own sources: a user's file or module, whose content decides results.

    given: as it stands in the parameters. known_as: what records call it. sha256: of its content, empty where there
    is none to read. pickled: reading it runs code that is in it, so it is read with --trust only.
    """

    given: str
    known_as: str
    sha256: str
    pickled: bool


class Backbone(ABC):
    """A frozen dataclass whose fields are its hyper-parameters; named after its file.

    distributions: the installed packages that it needs and whose versions decide its results.
    by_default: whether a run that names no backbone uses it, if its packages are installed.
    """

    distributions: ClassVar[tuple[str, ...]] = ()
    by_default: ClassVar[bool] = True

    def origins(self) -> tuple[Origin, ...]:
        """The files and modules of the user's that it is made from. Raises UqbenchError for one that is not there."""
        return ()


class LinearBackbone(Backbone):
    """A potential that is linear in its coefficients: E = Σ θ_p D_p(X), forces and stress likewise."""

    @abstractmethod
    def n_features(self, elements: tuple[str, ...]) -> int:
        """Number of coefficients P for a set of elements."""

    @abstractmethod
    def rows(self, structures: Sequence[Atoms], elements: tuple[str, ...]) -> Iterator[Array]:
        """Design rows of each structure in turn, float64.

        One array a structure, (1 + 3N, P), or (1 + 3N + 6, P) if it is periodic in three directions: rows of
        energy per atom (eV), force components atom by atom x y z (eV/Å), stress xx yy zz yz xz xy
        (eV/Å³, ASE's sign), each ∂(observable)/∂θ. Raises UqbenchError for an element not in elements.
        """

    @abstractmethod
    def potential(self, coefficients: Array, elements: tuple[str, ...]) -> Calculator:
        """A fast ASE calculator (energy, forces, stress) for coefficients (P,)."""

    def kink(self) -> float | None:
        """Distance between atoms, Å, at which a low derivative of the rows jumps; None where they are smooth."""
        return None

    def reach(self) -> float | None:
        """Distance, Å, from which on an atom is not felt by another; None where it is not known."""
        return self.kink()
