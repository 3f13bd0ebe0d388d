"""Whether a time was measured with the machine to itself."""

from __future__ import annotations

import os
import time

CONTENDED_CORES = 0.25
"""Cores kept busy by others from which on times are not ranked."""


class OtherLoad:
    """Measures, from its creation on, how many cores other processes keep busy."""

    def __init__(self) -> None:
        self._began = self._reading()

    def cores(self) -> float:
        """Mean number of cores busy with work that is not this process's."""
        busy, own, wall = (now - then for now, then in zip(self._reading(), self._began, strict=True))
        return max(0.0, busy - own) / max(wall, 1e-9)

    @staticmethod
    def _reading() -> tuple[float, float, float]:
        import psutil

        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
        # Guests' time is part of user time already.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        own = os.times()
        mine = own.user + own.system + own.children_user + own.children_system
        return sum(times) - idle - guests, mine, time.perf_counter()
