"""Reading a trained network of any kind from its file."""

from __future__ import annotations

from pathlib import Path

from uqbench.backbones.mace.checkpoint import read_torch
from uqbench.backbones.mace.noisy import NoisyMace
from uqbench.backbones.mace.shallow import ShallowMace
from uqbench.backbones.mace.trained import TrainedMace


def load_network(path: Path) -> TrainedMace:
    """Read what TrainedMace.save or that of its kinds wrote. Raises UqbenchError for any other file."""
    kinds = {kind.format: kind for kind in (TrainedMace, NoisyMace, ShallowMace)}
    content = read_torch(path, *kinds)
    return kinds[content["format"]].of(content)
