"""Memory: of this process, and of what a fit has to keep."""

from __future__ import annotations

import dataclasses
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from uqbench.api import LinearProblem


def peak_resident_bytes() -> int:
    """Largest resident set of this process since it began."""
    # Linux hands the figure of getrusage on through exec, from a parent that may have been larger.
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else 1024 * peak)


def stored_bytes(posterior: object) -> int:
    """Bytes of the arrays that a posterior has to keep in order to predict.

    A posterior that goes back to the training rows is charged for them.
    """
    if isinstance(posterior, np.ndarray):
        return int(posterior.nbytes)
    if isinstance(posterior, LinearProblem):
        return 8 * posterior.n_features * sum(posterior.counts.values())
    if isinstance(posterior, Mapping):
        return sum(stored_bytes(v) for v in posterior.values())
    if isinstance(posterior, (list, tuple)):
        return sum(stored_bytes(v) for v in posterior)
    if dataclasses.is_dataclass(posterior):
        return sum(stored_bytes(getattr(posterior, f.name)) for f in dataclasses.fields(posterior))
    return 0
