"""A model file as mace itself writes it, as mace's own calculator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


def mace_calculator(path: Path, sha256: str, device: str) -> Calculator:
    """The calculator in float64; see uqbench.backbones.mace.model_file.read_module, also for what is raised."""
    from uqbench.backbones.mace.model_file import read_module

    module = read_module(path, sha256, device)
    from mace.calculators import MACECalculator

    return MACECalculator(models=[module], device=device, default_dtype="float64")
