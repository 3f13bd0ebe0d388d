"""A model file: as mace itself writes it, a pickled torch module, or one of our own."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

from uqbench.errors import UqbenchError


def is_ours(path: Path) -> bool:
    """Whether uqbench seems to have written it, so that it is read as tensors only, whatever it turns out to hold."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        tables = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return any(b"uqbench mace" in archive.read(name) for name in tables)


def read_module(path: Path, sha256: str, device: str = "cpu") -> Any:
    """The mace.modules.MACE of a file that mace wrote.

    Unpickling runs code that is in the file: the caller has made sure that it is trusted, and sha256 is that of the
    file that was. Raises UqbenchError for a file that has changed since, or that holds no potential of mace.
    """
    from uqbench.backbones.mace.quiet import mace_parts

    parts = mace_parts()
    import torch

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
            f"{path} holds a {type(module).__name__}, not a mace.modules.MACE. Save the whole module: "
            "torch.save(model, path)."
        )
    return module
