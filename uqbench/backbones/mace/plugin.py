"""MACE: an equivariant message-passing network, trained here or from a file; linear methods run on its last layer.

Cost: about 0.8 ms an atom and epoch of training on one core at size tiny; see uqbench.backbones.mace.train.
Limits: trained from scratch on each fold, on a tenth less of its frames, which decide when training stops. What a model
file was trained on is not known here: test frames may have been among it.
Reference: Batatia, Kovács, Simm, Ortner, Csányi, NeurIPS 35 (2022), arXiv 2206.07697; the layers are mace-torch's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from uqbench.api import NetworkBackbone, NetworkRequest, NoiseHead, NotApplicable, Origin, Readouts, Variant
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.load import load_network
from uqbench.backbones.mace.model_file import is_ours
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.checksum import file_sha256
from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class Mace(NetworkBackbone):
    """A MACE network.

    size: "tiny" (minutes on a CPU core), "small" or "medium" (for a GPU).
    cutoff: distance at which atoms stop to be neighbours, Å; two layers see twice as far.
    epochs: passes over the training frames at most; None for what the size has (40 from a model file).
    start: model file to begin from, of mace (pickled: with --trust) or as uqbench keeps networks; it decides size and
    cutoff. Its features stay as they are, and only constants of the elements are fitted.
    fine_tune: train all its weights further.
    """

    distributions: ClassVar[tuple[str, ...]] = ("torch", "mace-torch")
    by_default: ClassVar[bool] = False
    variants: ClassVar[tuple[type[Variant], ...]] = (NoiseHead, Readouts)

    size: Literal["tiny", "small", "medium"] = "tiny"
    cutoff: float = 5.0
    epochs: int | None = None
    start: str = ""
    fine_tune: bool = False

    def __post_init__(self) -> None:
        _ = self.config
        if self.fine_tune and not self.start:
            raise UqbenchError(
                "mace: fine_tune needs a model file to train further; name it with start=PATH."
            )
        if self.start and (self.size, self.cutoff) != (Mace.size, Mace.cutoff):
            raise UqbenchError(
                f"mace: size and cutoff are those of the model file {self.start}; leave them out."
            )

    @property
    def config(self) -> MaceConfig:
        """Raises UqbenchError for values that are not allowed."""
        return MaceConfig(self.size, self.cutoff, self.epochs)

    @property
    def seeded(self) -> bool:
        """See NetworkBackbone."""
        return self.fine_tune or not self.start

    def origins(self) -> tuple[Origin, ...]:
        """See Backbone."""
        if not self.start:
            return ()
        path = Path(self.start)
        if not path.is_file():
            raise UqbenchError(f"mace: there is no model file {path} to start from.")
        digest = file_sha256(path)
        return (Origin(self.start, f"{path.name}@{digest[:8]}", digest, pickled=not is_ours(path)),)

    def train(self, request: NetworkRequest) -> TrainedMace:
        """See NetworkBackbone."""
        from uqbench.backbones.mace.train import train_mace
        from uqbench.backbones.mace.train_noise import train_noise
        from uqbench.backbones.mace.train_readouts import train_readouts

        variant, start = request.variant, request.start
        if start is not None and not isinstance(start, TrainedMace):
            raise UqbenchError(
                f"{variant} starts from a plain MACE network, not from a {type(start).__name__}."
            )
        if variant is None and self.start:
            from uqbench.backbones.mace.start import Start

            (origin,) = self.origins()
            file = Start(Path(self.start), origin.known_as, origin.sha256, self.epochs)
            return file.fine_tuned(request) if self.fine_tune else file.frozen(request)
        if variant is None:
            return train_mace(request, self.config)
        if start is None and self.start:
            raise NotApplicable(
                f"{variant} trains from random weights, and {Path(self.start).name} is to be started from."
            )
        if isinstance(variant, NoiseHead):
            return train_noise(request, variant, start, self.config)
        if start is None:
            raise UqbenchError(f"{variant} starts from a plain network; give it as start.")
        return train_readouts(request, variant, start)

    def load(self, path: Path) -> TrainedMace:
        """See NetworkBackbone."""
        return load_network(path)
