"""A model file as mace itself writes it: a pickled torch module."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


def mace_calculator(path: Path, sha256: str, device: str) -> Calculator:
    """mace's own calculator of a model file, in float64.

    Unpickling runs code that is in the file: the caller has made sure that it is trusted, and sha256 is that of the
    file that was. Raises UqbenchError for a file that has changed since, or that holds no potential of mace.
    """
    from uqbench.backbones.mace.quiet import mace_parts

    parts = mace_parts()
    import torch
    from mace.calculators import MACECalculator

    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UqbenchError(f"{path} has changed since this run began; start it again.")
    try:
        module = torch.load(io.BytesIO(content), map_location=device, weights_only=False)
    except Exception as error:
        raise UqbenchError(
            f"{path} cannot be read as a model file of mace ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(module, parts.modules.MACE):
        raise UqbenchError(
            f"{path} holds a {type(module).__name__}, not a mace.modules.MACE. Save the whole module "
            "(torch.save(model, path)), or hand out calculators by package.module:function."
        )
    return MACECalculator(models=[module], device=device, default_dtype="float64")
