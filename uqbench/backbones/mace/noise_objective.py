"""What a network with a noise head minimises: the negative log-likelihood of its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array, Frame, NoiseHead
from uqbench.backbones.mace.graphs import Batch
from uqbench.backbones.mace.model import (
    Network,
    atom_energies,
    coefficients,
    displaceable,
    layer_features,
    sum_by_structure,
    voigt,
)
from uqbench.backbones.mace.noise_head import Head
from uqbench.backbones.mace.noise_likelihood import correlated_nll, white_nll
from uqbench.backbones.mace.objective import Example, Objective, batch_of

if TYPE_CHECKING:
    import torch

    from uqbench.backbones.mace.trained import TrainedMace


@dataclass(frozen=True)
class Likelihood(Objective):
    """Of energies and forces under the head's law, a label on average.

    Stresses, where they train the network, have white noise of one variance. Where the mean is frozen the labels of
    examples are what it left over, see residuals.
    """

    network: Network
    head: Head
    variant: NoiseHead

    def weights(self) -> dict[str, torch.Tensor]:
        """Those of the head, and of the network unless it is frozen."""
        own = {f"head.{name}": weight for name, weight in self.head.weights.items()}
        return own if self._frozen else dict(self.network.named_parameters()) | own

    @property
    def _frozen(self) -> bool:
        return self.variant.schedule == "frozen_mean"

    def sums(self, piece: Sequence[Example], training: bool) -> torch.Tensor:
        """(4,) of the negative log-likelihood and of squared errors of the kinds (per atom for energies)."""
        import torch

        batch = batch_of(piece, self.network)
        positions, strain = displaceable(batch)
        features = layer_features(self.network, batch, positions, strain)
        labels = [_joined(piece, k, positions) for k in range(len(KINDS))]
        # Energies are left over in total, forces atom by atom.
        left = [labels[0] * batch.sizes, labels[1].reshape(-1, 3), labels[2].reshape(-1, 6)]
        if not self._frozen:
            predicted = self._mean(features, batch, positions, strain, training)
            left = [label - mean for label, mean in zip(left, predicted, strict=True)]
        total = self._nll(left, features, positions, batch, training)
        squares = [torch.nansum(v.detach() ** 2) for v in (left[0] / batch.sizes, left[1], left[2])]
        return torch.stack([total, *squares])

    def _mean(
        self,
        features: list[torch.Tensor],
        batch: Batch,
        positions: torch.Tensor,
        strain: torch.Tensor,
        training: bool,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        import torch

        energy = sum_by_structure(
            atom_energies(features, batch.node_attrs, coefficients(self.network)), batch
        )
        gradient, virial = torch.autograd.grad(
            energy.sum(), [positions, strain], create_graph=training, retain_graph=True
        )
        return energy, -gradient, voigt(virial) / batch.volumes[:, None]

    def _nll(
        self,
        left: list[torch.Tensor],
        features: list[torch.Tensor],
        positions: torch.Tensor,
        batch: Batch,
        training: bool,
    ) -> torch.Tensor:
        import torch

        weight = self.variant.energy_weight
        if self.variant.law == "white":
            sites = self.head.sites(features) ** 2
            energies = sum_by_structure(sites[:, 0], batch)
            found = white_nll(left[0], left[1], energies, sites[:, 1], batch, weight)
        else:
            process = self.head.process(features, positions, batch, training)
            found = correlated_nll(left[0], left[1], process, batch, weight)
        if self._frozen:
            return found.sum()
        stress = left[2][torch.isfinite(left[2])]
        variance = self.head.stress_variance
        return found.sum() + 0.5 * (stress**2 / variance + variance.log()).sum()

    def counts(self, batch: Sequence[Example]) -> NDArray[np.int64]:
        """(4,) of labels that have a likelihood, and of those of each kind."""
        present = [[np.isfinite(values).sum() for values in example.labels] for example in batch]
        kinds = np.sum(present, axis=0)
        likely = kinds[:2].sum() if self._frozen else kinds.sum()
        return np.maximum(1, np.concatenate([[likely], kinds]))

    def loss(self, sums: torch.Tensor, numbers: NDArray[np.int64]) -> torch.Tensor:
        """Negative log-likelihood a label."""
        return sums[0] / int(numbers[0])

    def figures(self, sums: Array, numbers: NDArray[np.int64]) -> dict[str, float]:
        """Negative log-likelihood a label, and root mean square errors of the mean."""
        errors = np.sqrt(sums[1:] / numbers[1:])
        rmse = {f"{kind}_rmse": float(error) for kind, error in zip(KINDS, errors, strict=True)}
        return {"nll": float(sums[0] / numbers[0]), **rmse}

    def words(self, figures: Mapping[str, float]) -> str:
        """See Objective."""
        energy, forces = 1e3 * figures["energy_rmse"], 1e3 * figures["forces_rmse"]
        return f"NLL {figures['nll']:.3f}, RMSE {energy:.1f} meV/atom, {forces:.0f} meV/Å"


def free_labels(example: Example, frame: Frame) -> Example:
    """Without the labels that symmetry makes zero: no law of noise is learnt from them."""
    kept = tuple(
        np.where(frame.free(kind), values, np.nan) for kind, values in zip(KINDS, example.labels, strict=True)
    )
    return replace(example, labels=kept)


def residuals(
    examples: Sequence[Example], frames: Sequence[Frame], start: TrainedMace, device: str
) -> list[Example]:
    """What a network, computed on a device, leaves over of the labels."""
    found = []
    predicted = start.predict([frame.atoms for frame in frames], device)
    for example, frame, own in zip(examples, frames, predicted, strict=True):
        energy = (own.energy - start.reference_energy(frame.atoms)) / len(example)
        stress = np.full(6, np.nan) if own.stress is None else own.stress
        means = np.array([energy]), own.forces.ravel(), stress
        left = tuple(values - mean for values, mean in zip(example.labels, means, strict=True))
        found.append(replace(example, labels=left))
    return found


def _joined(piece: Sequence[Example], kind: int, like: torch.Tensor) -> torch.Tensor:
    import torch

    values = np.concatenate([example.labels[kind] for example in piece])
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)
