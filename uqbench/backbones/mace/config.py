"""What a MACE network is made of and how it is trained: three sizes, as data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class MaceSize:
    """Architecture and length of training of one size; the cutoff is the user's.

    channels: copies of each hidden irrep. hidden_l: highest degree of the features that atoms pass on.
    max_ell: highest degree of the spherical harmonics of edges. correlation: order of the product basis, so that
    a layer sees correlation + 1 bodies. layers: interactions. radial_mlp: widths of the hidden layers of the
    radial network, the dearest part. epochs: at most. batch_atoms: a step takes structures up to so many atoms.
    """

    channels: int
    hidden_l: int
    max_ell: int
    correlation: int
    layers: int
    radial_mlp: tuple[int, ...]
    epochs: int
    batch_atoms: int
    learning_rate: float

    @property
    def hidden_irreps(self) -> str:
        """The features of an atom, as e3nn writes them: scalars first."""
        return " + ".join(f"{self.channels}x{ell}{'eo'[ell % 2]}" for ell in range(self.hidden_l + 1))

    @property
    def n_last_layer(self) -> int:
        """Weights of all linear readouts: one a channel and layer."""
        return self.channels * self.layers


SIZES: dict[str, MaceSize] = {
    "tiny": MaceSize(16, 0, 2, 2, 2, (16, 16), epochs=80, batch_atoms=50, learning_rate=0.02),
    "small": MaceSize(32, 1, 2, 2, 2, (32, 32), epochs=200, batch_atoms=100, learning_rate=0.01),
    "medium": MaceSize(64, 1, 3, 3, 2, (64, 64, 64), epochs=300, batch_atoms=200, learning_rate=0.01),
}


@dataclass(frozen=True)
class MaceConfig:
    """A network to be trained.

    size: "tiny" (minutes on a CPU core), "small" or "medium" (for a GPU).
    cutoff: distance at which atoms stop to be neighbours, Å; a network of n layers sees n times as far.
    epochs: passes over the training frames; None for what the size has.
    """

    size: str = "tiny"
    cutoff: float = 5.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise UqbenchError(f"MaceConfig.size is {self.size!r}; choose one of {', '.join(SIZES)}.")
        if not (np.isfinite(self.cutoff) and self.cutoff > 0):
            raise UqbenchError(f"MaceConfig.cutoff is {self.cutoff!r}; a positive length in Å is needed.")
        if self.epochs is not None and self.epochs < 1:
            raise UqbenchError(f"MaceConfig.epochs is {self.epochs!r}; at least 1 is needed.")

    @property
    def architecture(self) -> MaceSize:
        """The numbers behind the name of the size."""
        return SIZES[self.size]

    @property
    def n_epochs(self) -> int:
        """Epochs that training may last."""
        return self.architecture.epochs if self.epochs is None else self.epochs
