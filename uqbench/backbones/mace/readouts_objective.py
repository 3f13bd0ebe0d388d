"""What several linear readouts on one frozen trunk minimise: the score of their mean and variance.

Kellner & Ceriotti, "Uncertainty quantification by direct propagation of shallow ensembles", Mach. Learn.: Sci. Technol.
5, 035006 (2024), arXiv 2402.16621: the Gaussian negative log-likelihood of a label under the mean and the variance
(ddof = 1) of the readouts' own energies, forces and stresses. A frozen trunk makes all of these linear, so a step is a
product of design rows and weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array
from uqbench.backbones.mace.objective import Example, Objective

if TYPE_CHECKING:
    import torch

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
    counted. errors: (3,) RMS errors of the mean network, which labels are counted in.
    """

    deviations: torch.Tensor
    unit: torch.Tensor
    errors: torch.Tensor

    def weights(self) -> dict[str, torch.Tensor]:
        """The deviations."""
        return {"deviations": self.deviations}

    def sums(self, piece: Sequence[Example], training: bool) -> torch.Tensor:
        """(6,) of negative log-likelihoods and of squared errors of the mean, kind by kind."""
        import torch

        likelihoods, squares = [], []
        for k, (rows, labels) in enumerate(self._kinds(piece)):
            members = (rows[:, -len(self.unit) :] * self.unit) @ self.deviations.T
            mean = members.mean(dim=1, keepdim=True)
            error = (labels - mean[:, 0]) / self.errors[k]
            spread = ((members - mean) ** 2).sum(dim=1) / (len(self.deviations) - 1)
            variance = spread / self.errors[k] ** 2 + LEAST**2
            likelihoods.append(0.5 * (error**2 / variance + variance.log()).sum())
            squares.append(((error * self.errors[k]) ** 2).sum().detach())
        return torch.stack([*likelihoods, *squares])

    def _kinds(self, piece: Sequence[Example]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Rows and labels of each kind, those that are present."""
        import torch

        found = []
        for k in range(len(KINDS)):
            rows, labels = [], []
            for example in piece:
                start = sum(len(values) for values in example.labels[:k])
                present = np.flatnonzero(np.isfinite(example.labels[k]))
                rows.append(example.rows[start + present])  # pyright: ignore[reportAttributeAccessIssue]
                labels.append(example.labels[k][present])
            found.append(tuple(torch.as_tensor(np.concatenate(v)).to(self.unit) for v in (rows, labels)))
        return found

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


def with_rows(left: Sequence[Example], rows: Sequence[Array]) -> list[RowExample]:
    """Examples with what a network left over of their labels, and their design rows."""
    return [RowExample(e.graph, e.labels, e.source, r) for e, r in zip(left, rows, strict=True)]
