"""The last layer of a trained network as a linear backbone: all but its coefficients stay as they were trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uqbench.api import Array, LinearBackbone, TrainedNetwork
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class LastLayer(LinearBackbone):
    """A network's last layer; its rows depend on the frames that the network was trained on.

    key: names the network by all that decides it. elements: those it was trained with. device: where it runs.
    """

    key: str
    elements: tuple[str, ...]
    device: str
    network: TrainedNetwork = field(repr=False, compare=False)

    def kink(self) -> float:
        """The network's cutoff: what it hears of a neighbour ends there, smooth to a finite order."""
        return self.network.cutoff

    def reach(self) -> float:
        """As far as messages come: a cutoff a layer."""
        return self.network.layers * self.network.cutoff

    def n_features(self, elements: tuple[str, ...]) -> int:
        """Number of the network's coefficients."""
        self._require(elements)
        return len(self.network.weights)

    def rows(self, structures: Sequence[Atoms], elements: tuple[str, ...]) -> Iterator[Array]:
        """Design rows of each structure in turn; see LinearBackbone."""
        self._require(elements)
        return self.network.rows(structures, self.device)

    def potential(self, coefficients: Array, elements: tuple[str, ...]) -> Calculator:
        """The network with other coefficients (P,)."""
        self._require(elements)
        return self.network.potential(coefficients, self.device)

    def _require(self, elements: tuple[str, ...]) -> None:
        if elements != self.elements:
            raise UqbenchError(
                f"a network trained on {', '.join(self.elements)} has no coefficients for {', '.join(elements)}; "
                "train one on frames of these elements."
            )
