"""What training minimises: weighted squared errors of energies, forces and stresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array, Frame, Kind
from uqbench.backbones.mace.graphs import Batch, Graph
from uqbench.backbones.mace.model import Outputs

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
