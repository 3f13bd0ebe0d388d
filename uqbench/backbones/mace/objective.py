"""What training minimises; for a plain potential, weighted squared errors of energies, forces and stresses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array, Frame, Kind
from uqbench.backbones.mace.graphs import Batch, Graph, make_batch
from uqbench.backbones.mace.model import Network, Outputs, evaluate

if TYPE_CHECKING:
    import torch

WEIGHTS: dict[Kind, float] = {"energy": 1000.0, "forces": 100.0, "stress": 30000.0}
"""Of mean squared errors in (eV/atom)², (eV/Å)², (eV/Å³)². One energy stands against 3N forces, and a stress of
0.001 eV/Å³ is 0.16 GPa."""


@dataclass(frozen=True)
class Example:
    """A graph with its labels in the order of KINDS, nan where absent.

    labels: energy per atom less references (1,), forces (3n,), stress (6,). source: for messages.
    """

    graph: Graph
    labels: tuple[Array, Array, Array]
    source: str

    def __len__(self) -> int:
        return len(self.graph)


def make_example(frame: Frame, graph: Graph, reference: float) -> Example:
    """reference: the reference energies of the frame's atoms, eV per atom."""
    sizes = (1, 3 * len(frame.atoms), 6)
    found = [frame.labels(kind) for kind in KINDS]
    energy, forces, stress = (
        np.full(n, np.nan) if values is None else values for n, values in zip(sizes, found, strict=True)
    )
    if graph.volume is None:
        stress = np.full(6, np.nan)
    return Example(graph, (energy - reference, forces, stress), frame.source)


def counts(examples: Sequence[Example]) -> NDArray[np.int64]:
    """(3,) labels of each kind present, at least 1, so that sums can be divided by them."""
    present = [[np.isfinite(values).sum() for values in example.labels] for example in examples]
    return np.maximum(1, np.sum(present, axis=0))


class Objective(ABC):
    """A loss of batches of examples as a function of some weights."""

    @abstractmethod
    def weights(self) -> dict[str, torch.Tensor]:
        """The weights that training changes in place, by name."""

    @abstractmethod
    def sums(self, piece: Sequence[Example], training: bool) -> torch.Tensor:
        """(k,) sums over the labels of a piece, which add up to those of a batch. training: to be differentiated."""

    @abstractmethod
    def counts(self, batch: Sequence[Example]) -> NDArray[np.int64]:
        """(k,) of how many labels each sum is, at least 1, so that sums can be divided by them."""

    @abstractmethod
    def loss(self, sums: torch.Tensor, numbers: NDArray[np.int64]) -> torch.Tensor:
        """The loss, from sums and counts of a batch."""

    @abstractmethod
    def figures(self, sums: Array, numbers: NDArray[np.int64]) -> dict[str, float]:
        """What the curve keeps of the sums over the validation examples."""

    @abstractmethod
    def words(self, figures: Mapping[str, float]) -> str:
        """The figures, for people."""


@dataclass(frozen=True)
class SquaredErrors(Objective):
    """The loss of a plain potential."""

    network: Network

    def weights(self) -> dict[str, torch.Tensor]:
        """All of the network's."""
        return dict(self.network.named_parameters())

    def sums(self, piece: Sequence[Example], training: bool) -> torch.Tensor:
        """(3,) of squared errors in the order of KINDS."""
        batch = batch_of(piece, self.network)
        return squared_errors(evaluate(self.network, batch, training=training), batch, piece)

    def counts(self, batch: Sequence[Example]) -> NDArray[np.int64]:
        """(3,); see Objective."""
        return counts(batch)

    def loss(self, sums: torch.Tensor, numbers: NDArray[np.int64]) -> torch.Tensor:
        """See weighted."""
        return weighted(sums, numbers)

    def figures(self, sums: Array, numbers: NDArray[np.int64]) -> dict[str, float]:
        """Root mean square errors."""
        errors = np.sqrt(sums / numbers)
        return {f"{kind}_rmse": float(error) for kind, error in zip(KINDS, errors, strict=True)}

    def words(self, figures: Mapping[str, float]) -> str:
        """See Objective."""
        energy, forces, stress = (1e3 * figures[f"{kind}_rmse"] for kind in KINDS)
        return f"RMSE {energy:.1f} meV/atom, {forces:.0f} meV/Å, {stress:.2f} meV/Å³"


def batch_of(piece: Sequence[Example], network: Network) -> Batch:
    """The graphs of a piece as one, in the type and on the device of the network's weights."""
    weight = next(network.parameters())
    n_elements = len(network.atomic_numbers)
    return make_batch([example.graph for example in piece], n_elements, weight.dtype, weight.device)


def squared_errors(outputs: Outputs, batch: Batch, examples: Sequence[Example]) -> torch.Tensor:
    """(3,) sums of squared errors of the labels present, in the order of KINDS."""
    import torch

    predicted = (outputs.energy / batch.sizes, outputs.forces.reshape(-1), outputs.stress.reshape(-1))
    sums = []
    for k, values in enumerate(predicted):
        labels = torch.as_tensor(
            np.concatenate([example.labels[k] for example in examples]),
            dtype=values.dtype,
            device=values.device,
        )
        # Selected before the difference: the gradient of a masked nan would be nan.
        present = torch.isfinite(labels)
        sums.append(torch.sum((values[present] - labels[present]) ** 2))
    return torch.stack(sums)


def weighted(sums: torch.Tensor, numbers: NDArray[np.int64]) -> torch.Tensor:
    """The loss, from sums of squared errors over numbers of labels, both (3,)."""
    return sums @ sums.new_tensor([WEIGHTS[kind] / n for kind, n in zip(KINDS, numbers, strict=True)])
