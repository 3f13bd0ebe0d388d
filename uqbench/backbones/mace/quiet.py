"""Importing mace-torch without its noise, and without what it does to the process."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    import torch

_UNSAFE_LOADING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


@dataclass(frozen=True)
class MaceParts:
    """What we use of mace-torch and e3nn: mace.modules, e3nn.o3 and mace.data's get_neighborhood."""

    modules: Any
    o3: Any
    get_neighborhood: Any


@cache
def mace_parts() -> MaceParts:
    """Import mace-torch (some seconds, the first time). Raises UqbenchError if it is not installed.

    mace sets an environment variable under which every torch.load of the process runs pickled code; that is
    undone. e3nn is imported first, so that its own constants are not loaded that way either.
    """
    try:
        with _silence():
            import torch

            torch.serialization.add_safe_globals([slice])
            before = os.environ.get(_UNSAFE_LOADING)
            try:
                from e3nn import o3
                from mace import modules
                from mace.data.neighborhood import get_neighborhood
            finally:
                os.environ.pop(_UNSAFE_LOADING, None)
                if before is not None:
                    os.environ[_UNSAFE_LOADING] = before
    except ImportError as error:
        raise UqbenchError(
            f"the mace backbone needs mace-torch, which cannot be imported ({error}): "
            'pip install "uqbench[mace]".'
        ) from error
    return MaceParts(modules, o3, get_neighborhood)


@contextlib.contextmanager
def building(seed: int) -> Iterator[None]:
    """Surroundings in which mace networks are made: float64, a seed, and no trace of either afterwards.

    e3nn's TorchScript is left out: it makes a network neither faster nor slower but takes thrice as long to
    build, and torch.func cannot look into it.
    """
    import e3nn
    import torch

    dtype, options = torch.get_default_dtype(), e3nn.get_optimization_defaults()
    with _silence(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float64)
        e3nn.set_optimization_defaults(jit_script_fx=False)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            e3nn.set_optimization_defaults(**options)


def torch_device(name: str) -> torch.device:
    """The device of a name ("cpu", "cuda", "cuda:1"). Raises UqbenchError if it is not there."""
    import torch

    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UqbenchError(f"device {name} was asked for, but torch finds no CUDA device; use cpu.")
    return device


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Multiply float32 matrices in float32: no TF32, which has three digits."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    level = logging.root.manager.disable
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)
