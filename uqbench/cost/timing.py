"""Wall and processor time, measured so that two things can be compared fairly."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass
class Elapsed:
    """Seconds of a stage: wall clock, and processor time of this process (all its threads)."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def stopwatch(synchronise: Callable[[], None] | None = None) -> Iterator[Elapsed]:
    """Times the body. synchronise waits for the device, before each reading of the clock."""
    elapsed = Elapsed()
    if synchronise:
        synchronise()
    wall, cpu = time.perf_counter(), time.process_time()
    yield elapsed
    if synchronise:
        synchronise()
    elapsed.wall, elapsed.cpu = time.perf_counter() - wall, time.process_time() - cpu


@dataclass(frozen=True)
class Repeats:
    """Seconds of repeated runs: wall clock, and the median of processor time."""

    seconds: tuple[float, ...]
    cpu_median: float

    @property
    def median(self) -> float:
        """Median, s."""
        return float(np.median(self.seconds))

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile, s."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float(low), float(high)


def interleaved(
    actions: Mapping[str, Callable[[], object]],
    repeats: int,
    budget: float,
    synchronise: Callable[[], None] | None = None,
) -> dict[str, Repeats]:
    """Time several actions in turn, A B A B …, after one warm-up of each, so that drift hits all alike.

    Stops early, after at least 3 rounds, once `budget` seconds are spent. The garbage collector is off.
    """
    for action in actions.values():
        action()
    runs: dict[str, list[Elapsed]] = {name: [] for name in actions}
    enabled = gc.isenabled()
    gc.disable()
    try:
        began = time.perf_counter()
        for done in range(repeats):
            if done >= 3 and time.perf_counter() - began > budget:
                break
            for name, action in actions.items():
                with stopwatch(synchronise) as elapsed:
                    action()
                runs[name].append(elapsed)
    finally:
        if enabled:
            gc.enable()
    return {
        name: Repeats(tuple(e.wall for e in values), float(np.median([e.cpu for e in values])))
        for name, values in runs.items()
    }
