"""MACE: an equivariant message-passing network, trained here; linear methods run on its last layer.

Cost: about 0.8 ms an atom and epoch of training on one core at size tiny; see uqbench.backbones.mace.train.
Limits: trained from scratch on each fold, on a tenth less of its frames, which decide when training stops.
Reference: Batatia, Kovács, Simm, Ortner, Csányi, NeurIPS 35 (2022), arXiv 2206.07697; the layers are mace-torch's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from uqbench.api import Frame, NetworkBackbone, NoiseHead, Readouts, TrainedNetwork, Variant
from uqbench.api.network import Say
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.load import load_network
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class Mace(NetworkBackbone):
    """A MACE network.

    size: "tiny" (minutes on a CPU core), "small" or "medium" (for a GPU).
    cutoff: distance at which atoms stop to be neighbours, Å; two layers see twice as far.
    epochs: passes over the training frames at most; None for what the size has.
    """

    distributions: ClassVar[tuple[str, ...]] = ("torch", "mace-torch")
    by_default: ClassVar[bool] = False
    variants: ClassVar[tuple[type[Variant], ...]] = (NoiseHead, Readouts)

    size: Literal["tiny", "small", "medium"] = "tiny"
    cutoff: float = 5.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        _ = self.config

    @property
    def config(self) -> MaceConfig:
        """Raises UqbenchError for values that are not allowed."""
        return MaceConfig(self.size, self.cutoff, self.epochs)

    def train(
        self,
        frames: Sequence[Frame],
        elements: tuple[str, ...],
        references: Mapping[str, float],
        seed: int,
        device: str,
        checkpoint: Path,
        say: Say,
    ) -> TrainedMace:
        """See NetworkBackbone."""
        from uqbench.backbones.mace.train import train_mace

        return train_mace(frames, elements, references, self.config, seed, device, checkpoint, say)

    def train_variant(
        self,
        variant: Variant,
        start: TrainedNetwork | None,
        frames: Sequence[Frame],
        elements: tuple[str, ...],
        references: Mapping[str, float],
        seed: int,
        device: str,
        checkpoint: Path,
        say: Say,
    ) -> TrainedMace:
        """See NetworkBackbone."""
        if start is not None and not isinstance(start, TrainedMace):
            raise UqbenchError(
                f"{variant} starts from a plain MACE network, not from a {type(start).__name__}."
            )
        from uqbench.backbones.mace.train_noise import train_noise
        from uqbench.backbones.mace.train_readouts import train_readouts

        if isinstance(variant, NoiseHead):
            return train_noise(
                variant, start, frames, elements, references, self.config, seed, device, checkpoint, say
            )
        if start is None:
            raise UqbenchError(f"{variant} starts from a plain network; give it as start.")
        return train_readouts(variant, start, frames, elements, references, seed, device, checkpoint, say)

    def load(self, path: Path) -> TrainedMace:
        """See NetworkBackbone."""
        return load_network(path)
