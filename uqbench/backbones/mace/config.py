"""What a MACE network is made of and how it is trained: three sizes, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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


SIZES: dict[str, MaceSize] = {
    "tiny": MaceSize(16, 0, 2, 2, 2, (16, 16), epochs=80, batch_atoms=50, learning_rate=0.02),
    "small": MaceSize(32, 1, 2, 2, 2, (32, 32), epochs=200, batch_atoms=100, learning_rate=0.01),
    "medium": MaceSize(64, 1, 3, 3, 2, (64, 64, 64), epochs=300, batch_atoms=200, learning_rate=0.01),
}


@dataclass(frozen=True)
class Length:
    """How long training lasts and how fast it goes. epochs: at most. batch_atoms, rate: see MaceSize."""

    epochs: int
    batch_atoms: int
    rate: float

    def times(self, epochs: float, rate: float) -> Length:
        """A share of the epochs, at a share of the rate."""
        return Length(math.ceil(epochs * self.epochs), self.batch_atoms, rate * self.rate)


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
    def layers(self) -> int:
        """Interactions: how many cutoffs far an atom is felt."""
        return self.architecture.layers

    @property
    def length(self) -> Length:
        """Of plain training."""
        size = self.architecture
        return Length(
            size.epochs if self.epochs is None else self.epochs, size.batch_atoms, size.learning_rate
        )


FINE_TUNING = Length(epochs=40, batch_atoms=50, rate=0.002)


@dataclass(frozen=True)
class GivenConfig:
    """A network that begins as the one in a file.

    name: the file's. sha256: of its content. architecture: see uqbench.backbones.mace.architecture.
    epochs: passes over the training frames where weights are changed; None for the usual number.
    """

    name: str
    sha256: str
    architecture: Mapping[str, Any]
    epochs: int | None = None

    @property
    def size(self) -> str:
        """For people."""
        return f"that {self.name} has"

    @property
    def cutoff(self) -> float:
        """Å."""
        return float(self.architecture["r_max"])

    @property
    def layers(self) -> int:
        """Interactions."""
        return int(self.architecture["num_interactions"])

    @property
    def length(self) -> Length:
        """Of fine-tuning."""
        return FINE_TUNING if self.epochs is None else replace(FINE_TUNING, epochs=self.epochs)
