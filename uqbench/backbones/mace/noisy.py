"""A trained network with a noise head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Noise, NoiseHead
from uqbench.backbones.mace.graphs import Batch
from uqbench.backbones.mace.model import displaceable, layer_features
from uqbench.backbones.mace.noise_head import Head
from uqbench.backbones.mace.trained import PREDICT_ATOMS, TrainedMace
from uqbench.backbones.noise_law import CorrelatedNoise, Nuggets, SiteNoise, WhiteNoise, neighbourhoods
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    import torch
    from ase import Atoms


@dataclass(frozen=True, eq=False)
class NoisyMace(TrainedMace):
    """The network of the mean, and its head.

    variant: what was asked for. head: trained weights by name, see uqbench.backbones.mace.noise_head.
    """

    format: ClassVar[str] = "uqbench mace noise 1"
    arrays: ClassVar[tuple[str, ...]] = ("state", "head")
    variant_of: ClassVar[type] = NoiseHead

    variant: NoiseHead = field(default_factory=NoiseHead)
    head: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def noise(
        self, structures: Sequence[Atoms], device: str = "cpu", site_local: bool = False
    ) -> list[Noise]:
        """Noise of each structure, in batches; see NoisyNetwork.

        site_local costs a backward pass an atom. Raises UqbenchError for it if the noise is white.
        """
        import torch

        if self.variant.law == "white" and site_local:
            raise UqbenchError("white noise has no site-local form; leave site_local out.")
        network = self.network(device)
        weights = {
            name: torch.as_tensor(array, dtype=torch.float64, device=device)
            for name, array in self.head.items()
        }
        head = Head(weights, self.normalisation.scale)

        def work(batch: Batch) -> list[Noise]:
            positions, strain = displaceable(batch)
            features = layer_features(network, batch, positions, strain)
            if self.variant.law == "white":
                return _white(head, features, batch)
            if site_local:
                return _by_site(head, features, positions, batch)
            return _global(head, features, positions, batch)

        return list(self._batched(structures, PREDICT_ATOMS, device, work))


def _white(head: Head, features: list[torch.Tensor], batch: Batch) -> list[Noise]:
    sites = head.sites(features).detach().cpu().numpy() ** 2
    return [WhiteNoise(float(sites[own, 0].sum()), sites[own, 1]) for own in _slices(batch)]


def _global(head: Head, features: list[torch.Tensor], positions: torch.Tensor, batch: Batch) -> list[Noise]:
    found = head.process(features, positions, batch, training=False)
    scales, slopes = found.scale.detach().cpu().numpy(), found.slopes.cpu().numpy()
    length, nuggets = float(head.length), Nuggets(*head.nuggets.tolist())
    return [
        CorrelatedNoise(float(scale), slopes[own], length, nuggets)
        for scale, own in zip(scales, _slices(batch), strict=True)
    ]


def _by_site(head: Head, features: list[torch.Tensor], positions: torch.Tensor, batch: Batch) -> list[Noise]:
    import torch

    sites = head.sites(features)[:, 0]
    starts = torch.cumsum(batch.sizes, 0) - batch.sizes
    slopes = []
    # One site of each structure at a time: structures do not see each other.
    for k in range(int(batch.sizes.max())):
        here = starts[batch.sizes > k] + k
        gradient = torch.autograd.grad(sites[here].sum(), positions, retain_graph=True)[0]
        slopes.append(gradient.cpu().numpy())
    of_sites = np.array(slopes)
    scales, edges = sites.detach().cpu().numpy(), batch.edges.cpu().numpy()
    length, nuggets = float(head.length), Nuggets(*head.nuggets.tolist())
    noise: list[Noise] = []
    for own in _slices(batch):
        n = own.stop - own.start
        inside = (edges[0] >= own.start) & (edges[0] < own.stop)
        counts = neighbourhoods(edges[:, inside] - own.start, n)
        noise.append(SiteNoise(scales[own], of_sites[:n, own], counts, length, nuggets))
    return noise


def _slices(batch: Batch) -> Iterator[slice]:
    """The atoms of each structure."""
    start = 0
    for n in batch.sizes.tolist():
        yield slice(start, start + n)
        start += n
