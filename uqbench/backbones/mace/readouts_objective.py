"""What several linear readouts on one trunk minimise: the score of their mean and variance.

Kellner & Ceriotti, "Uncertainty quantification by direct propagation of shallow ensembles", Mach. Learn.: Sci. Technol.
5, 035006 (2024), arXiv 2402.16621: the Gaussian negative log-likelihood of a label under the mean and the variance
(ddof = 1) of the readouts' own energies, forces and stresses. A frozen trunk makes all of these linear, so a step is a
product of design rows and weights; else it is a backward pass for each readout.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array
from uqbench.backbones.mace.model import (
    Network,
    atom_energies,
    coefficients,
    displaceable,
    layer_features,
    sum_by_structure,
    voigt,
)
from uqbench.backbones.mace.objective import Example, Objective, batch_of

if TYPE_CHECKING:
    import torch

    Members = list[tuple[torch.Tensor, torch.Tensor]]

LEAST = 0.01
"""Of the RMS error of a kind, added to standard deviations in quadrature, so that no label is taken for certain."""


@dataclass(frozen=True)
class RowExample(Example):
    """An example whose labels are what the mean network leaves over.

    rows: (1 + 3n [+ 6], P + n_elements), kind by kind, see LinearBackbone.rows.
    """

    rows: Array


@dataclass(frozen=True)
class ReadoutScore(Objective):
    """Mean over the kinds of label of the negative log-likelihood a label.

    deviations: (M, P), by which readouts differ from the mean network's, in units. unit: (P,) in which they are
    counted. errors: (3,) RMS errors of the plain network, which labels are counted in.
    """

    deviations: torch.Tensor
    unit: torch.Tensor
    errors: torch.Tensor

    @abstractmethod
    def members(self, piece: Sequence[Example], training: bool) -> Members:
        """What the readouts say (n, M) of the labels present (n,), and these, kind by kind."""

    def sums(self, piece: Sequence[Example], training: bool) -> torch.Tensor:
        """(6,) of negative log-likelihoods and of squared errors of the mean, kind by kind."""
        import torch

        likelihoods, squares = [], []
        for (members, labels), unit in zip(self.members(piece, training), self.errors, strict=True):
            mean = members.mean(dim=1, keepdim=True)
            error = (labels - mean[:, 0]) / unit
            spread = ((members - mean) ** 2).sum(dim=1) / (len(self.deviations) - 1)
            variance = spread / unit**2 + LEAST**2
            likelihoods.append(0.5 * (error**2 / variance + variance.log()).sum())
            squares.append(((error * unit) ** 2).sum().detach())
        return torch.stack([*likelihoods, *squares])

    def counts(self, batch: Sequence[Example]) -> NDArray[np.int64]:
        """(6,) of the labels of each kind, twice."""
        present = [[np.isfinite(values).sum() for values in example.labels] for example in batch]
        return np.maximum(1, np.tile(np.sum(present, axis=0), 2))

    def loss(self, sums: torch.Tensor, numbers: NDArray[np.int64]) -> torch.Tensor:
        """Mean over the kinds."""
        return (sums[:3] / sums.new_tensor(numbers[:3])).mean()

    def figures(self, sums: Array, numbers: NDArray[np.int64]) -> dict[str, float]:
        """Negative log-likelihood a label, relative to that of an error bar of the RMS error, and errors."""
        means = sums / numbers
        errors = np.sqrt(means[3:])
        rmse = {f"{kind}_rmse": float(error) for kind, error in zip(KINDS, errors, strict=True)}
        return {"nll": float(means[:3].mean()), **rmse}

    def words(self, figures: Mapping[str, float]) -> str:
        """See Objective."""
        energy, forces = 1e3 * figures["energy_rmse"], 1e3 * figures["forces_rmse"]
        return f"NLL {figures['nll']:.3f}, RMSE {energy:.1f} meV/atom, {forces:.0f} meV/Å"


@dataclass(frozen=True)
class FrozenTrunk(ReadoutScore):
    """The readouts alone are trained, on RowExamples; their mean may move."""

    def weights(self) -> dict[str, torch.Tensor]:
        """The deviations."""
        return {"deviations": self.deviations}

    def members(self, piece: Sequence[Example], training: bool) -> Members:
        """See ReadoutScore; differences from the mean network."""
        import torch

        found = []
        for k in range(len(KINDS)):
            rows, labels = [], []
            for example in piece:
                start = sum(len(values) for values in example.labels[:k])
                present = np.flatnonzero(np.isfinite(example.labels[k]))
                rows.append(example.rows[start + present])  # pyright: ignore[reportAttributeAccessIssue]
                labels.append(example.labels[k][present])
            those, left = (torch.as_tensor(np.concatenate(v)).to(self.unit) for v in (rows, labels))
            found.append(((those[:, -len(self.unit) :] * self.unit) @ self.deviations.T, left))
        return found


@dataclass(frozen=True)
class WholeNetwork(ReadoutScore):
    """All weights are trained: those of the network of the mean, and the deviations less their mean."""

    network: Network

    def weights(self) -> dict[str, torch.Tensor]:
        """The network's by their names, and the deviations."""
        return dict(self.network.named_parameters()) | {"deviations": self.deviations}

    def members(self, piece: Sequence[Example], training: bool) -> Members:
        """See ReadoutScore."""
        import torch

        batch = batch_of(piece, self.network)
        positions, strain = displaceable(batch)
        features = layer_features(self.network, batch, positions, strain)
        apart = (self.deviations - self.deviations.mean(dim=0)) * self.unit
        constants = apart.new_zeros(len(apart), batch.node_attrs.shape[1])
        values = coefficients(self.network) + torch.cat([constants, apart], dim=1)
        energies = sum_by_structure(atom_energies(features, batch.node_attrs, values.T), batch)
        # Structures do not see each other.
        gradients, virials = torch.autograd.grad(
            energies.sum(0),
            [positions, strain],
            torch.eye(len(values), dtype=values.dtype, device=values.device),
            is_grads_batched=True,
            create_graph=training,
        )
        predicted = (
            energies / batch.sizes[:, None],
            -gradients.flatten(1).T,
            (voigt(virials) / batch.volumes[:, None]).flatten(1).T,
        )
        found = []
        for k, members in enumerate(predicted):
            labels = torch.as_tensor(np.concatenate([example.labels[k] for example in piece])).to(members)
            present = torch.isfinite(labels)
            found.append((members[present], labels[present]))
        return found


def with_rows(left: Sequence[Example], rows: Sequence[Array]) -> list[RowExample]:
    """Examples with what a network left over of their labels, and their design rows."""
    return [RowExample(e.graph, e.labels, e.source, r) for e, r in zip(left, rows, strict=True)]
