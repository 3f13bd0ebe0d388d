"""The head that reads a standard deviation of each site out of the features of a network.

A perceptron of one hidden layer takes the scalar features of all layers (in units of the network's scale) to h_i;
site i has s_i = scale · softplus(h_i), in eV, and a structure s = sqrt(Σ s_i²). Of white noise a second output gives
the standard deviation of the force on atom i, in eV/Å.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import NoiseHead
from uqbench.backbones.mace.graphs import Batch
from uqbench.backbones.mace.model import sum_by_structure
from uqbench.backbones.mace.noise_likelihood import Process
from uqbench.backbones.mace.objective import Example

if TYPE_CHECKING:
    import torch

HIDDEN = 16
NUGGET = 0.01
"""Standard deviations of nuggets before training, in units of the scale."""


@dataclass(frozen=True)
class Moments:
    """The noise that a head starts from, the same for all sites, in units of the network's scale.

    site: s_i. forces: standard deviation of force components, of white noise. stress: likewise. length: ℓ, Å.
    """

    site: float
    forces: float
    stress: float
    length: float


UNKNOWN = Moments(site=0.05, forces=0.05, stress=0.05, length=1.0)
"""Where there is no network yet whose errors could be looked at."""


def moments_of(left: Sequence[Example], scale: float) -> Moments:
    """Root mean squares of what a network has left over of labels. scale: the network's.

    What has no label or no error is taken as unknown.
    """
    energies = np.array([example.labels[0][0] * len(example) for example in left])
    sizes = np.array([len(example) for example in left])
    kinds = [np.concatenate([example.labels[k] for example in left]) for k in (1, 2)]
    site, energy, forces, stress = (
        float(np.sqrt(np.mean(values[np.isfinite(values)] ** 2))) if np.isfinite(values).any() else 0.0
        for values in (energies / np.sqrt(sizes), energies, *kinds)
    )
    return Moments(
        site / scale or UNKNOWN.site,
        forces / scale or UNKNOWN.forces,
        stress / scale or UNKNOWN.stress,
        energy / forces if energy and forces else UNKNOWN.length,
    )


def start_head(n_features: int, variant: NoiseHead, moments: Moments, seed: int) -> dict[str, torch.Tensor]:
    """Weights before training, float64; the same seed gives the same ones."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(n_out: int, n_in: int) -> torch.Tensor:
        return torch.randn(n_out, n_in, generator=generator, dtype=torch.float64) / n_in**0.5

    outputs = [moments.site, moments.forces] if variant.law == "white" else [moments.site]
    head = {
        "hidden": drawn(HIDDEN, n_features),
        "hidden_bias": torch.zeros(HIDDEN, dtype=torch.float64),
        "output": 0.1 * drawn(len(outputs), HIDDEN),
        "output_bias": torch.tensor(outputs, dtype=torch.float64).expm1().log(),
        "log_stress": torch.tensor(moments.stress, dtype=torch.float64).log(),
    }
    if variant.law == "correlated":
        head["log_length"] = torch.tensor(moments.length, dtype=torch.float64).log()
        if variant.nuggets:
            head["log_nuggets"] = torch.full((2,), NUGGET, dtype=torch.float64).log()
    return head


@dataclass(frozen=True)
class Head:
    """Weights of a head, and the scale of the network it is on, eV."""

    weights: Mapping[str, torch.Tensor]
    scale: float

    def sites(self, features: list[torch.Tensor]) -> torch.Tensor:
        """(n, 1 or 2) standard deviations: s_i, eV; of white noise also that of force components, eV/Å."""
        import torch

        w = self.weights
        inputs = torch.cat(features, dim=1) / self.scale
        hidden = torch.nn.functional.silu(inputs @ w["hidden"].T + w["hidden_bias"])
        return self.scale * torch.nn.functional.softplus(hidden @ w["output"].T + w["output_bias"])

    @property
    def length(self) -> torch.Tensor:
        """ℓ, Å."""
        return self.weights["log_length"].exp()

    @property
    def nuggets(self) -> torch.Tensor:
        """(2,) variances τ_E², eV², and τ_F², eV²/Å²; zero where there are none."""
        if "log_nuggets" not in self.weights:
            return self.weights["log_length"].new_zeros(2)
        return (self.scale * self.weights["log_nuggets"].exp()) ** 2

    @property
    def stress_variance(self) -> torch.Tensor:
        """Of the white noise that stress labels are trained with, (eV/Å³)²; the head says no more of stress."""
        return (self.scale * self.weights["log_stress"].exp()) ** 2

    def process(
        self, features: list[torch.Tensor], positions: torch.Tensor, batch: Batch, training: bool
    ) -> Process:
        """The correlated noise of a batch. training: it is to be differentiated in the weights."""
        import torch

        scale = sum_by_structure(self.sites(features)[:, 0] ** 2, batch).sqrt()
        slopes = torch.autograd.grad(scale.sum(), positions, create_graph=training, retain_graph=True)[0]
        return Process(scale, slopes, self.length, *self.nuggets)
