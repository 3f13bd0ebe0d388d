"""Torch files: written whole or not at all, read without running what they hold."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uqbench.atomic import write_atomically
from uqbench.backbones.mace.objective import Example
from uqbench.errors import UqbenchError


def write_torch(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors, numbers, text and containers of these, whole or not at all."""
    import torch

    memory = io.BytesIO()
    torch.save(dict(content), memory)
    write_atomically(path, memory.getbuffer())


def read_torch(path: Path, *expected: str) -> dict[str, Any]:
    """What write_torch wrote. expected: what its entry "format" may be. Raises UqbenchError for anything else."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UqbenchError(f"{path} is not there.") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UqbenchError(f"{path} is not a file of tensors that is safe to read ({reason}).") from None
    if not isinstance(content, dict) or content.get("format") not in expected:
        allowed = " or ".join(f'"{one}"' for one in expected)
        raise UqbenchError(f"{path} is not of the format {allowed}; it was written by something else.")
    return content


def training_key(request: object, examples: Sequence[Example]) -> str:
    """SHA-256 of what is trained (anything whose repr is complete) and of the examples, bit by bit."""
    digest = hashlib.sha256(repr(request).encode())
    for example in examples:
        graph = example.graph
        for array in (graph.species, graph.positions, graph.edges, graph.shifts, *example.labels):
            digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
