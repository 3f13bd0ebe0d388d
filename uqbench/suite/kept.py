"""What belongs to the whole process, kept as it was while a plugin runs in it."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController


@contextmanager
def globals_kept() -> Iterator[None]:
    """Seeds, handling of floating-point errors, warning filters, threads and working folder: afterwards as before.

    Without it, what the fit of one fold sets would hold for the times and scores that follow it.
    """
    seeds, errors, folder = (random.getstate(), np.random.get_state()), np.geterr(), os.getcwd()  # noqa: NPY002
    threads = {pool.filepath: pool.num_threads for pool in ThreadpoolController().lib_controllers}
    torch = sys.modules.get("torch")
    of_torch = (torch.get_num_threads(), torch.get_rng_state()) if torch else None
    try:
        with warnings.catch_warnings():
            yield
    finally:
        random.setstate(seeds[0])
        np.random.set_state(seeds[1])  # noqa: NPY002
        np.seterr(**errors)
        os.chdir(folder)
        for pool in ThreadpoolController().lib_controllers:
            if threads.get(pool.filepath, pool.num_threads) != pool.num_threads:
                pool.set_num_threads(threads[pool.filepath])
        if torch and of_torch:
            if torch.get_num_threads() != of_torch[0]:
                torch.set_num_threads(of_torch[0])
            torch.set_rng_state(of_torch[1])
