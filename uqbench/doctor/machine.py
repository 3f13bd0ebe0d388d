"""Cores, threads, memory, and whether somebody else is using them."""

from __future__ import annotations

import os
from pathlib import Path

from uqbench.doctor.finding import Finding

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LEAST_MEMORY = 2e9
"""Bytes: a fit of the embedded dataset with its own imports takes 0.3 GB, a network 1.5."""
LOOK = 0.5
"""Seconds for which the load is looked at."""
CGROUP = Path("/sys/fs/cgroup")


def machine(cgroup: Path = CGROUP) -> list[Finding]:
    """Threads, load and memory. cgroup: where a container's limits are to be read."""
    return [_threads(cgroup), _load(), _memory(cgroup)]


def _threads(cgroup: Path) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    told = f"{cores} cores may be used" + (f", {quota:g} at a time (cgroup)" if quota else "")
    given = {name: os.environ[name] for name in THREADS if os.environ.get(name)}
    if given:
        told += "; " + ", ".join(f"{name}={value}" for name, value in given.items())
    most = min(cores, quota or cores)
    greedy = [name for name, value in given.items() if value.isdecimal() and int(value) > most]
    if greedy:
        return Finding("threads", "warning", f"{told}: more threads than cores.", f"unset {' '.join(greedy)}")
    if quota and quota < cores and not given:
        remedy = f"export OMP_NUM_THREADS={max(1, int(quota))}"
        return Finding("threads", "warning", f"{told}: more threads will be started than can run.", remedy)
    return Finding("threads", "ok", told)


def _load() -> Finding:
    import time

    from uqbench.cost.contention import CONTENDED_CORES, OtherLoad

    load = OtherLoad()
    time.sleep(LOOK)
    if (busy := load.cores()) > CONTENDED_CORES:
        told = f"other processes keep {busy:.1f} cores busy: times measured now are not ranked, scores are."
        return Finding("load", "warning", told, "Nothing, or run again when the machine is idle.")
    return Finding("load", "ok", "the machine is idle, as it should be for times to be ranked")


def _memory(cgroup: Path) -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    available, told = (
        float(memory.available),
        f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free",
    )
    limit = _number(cgroup / "memory.max")
    if limit is not None:
        available = min(available, limit - (_number(cgroup / "memory.current") or 0.0))
        told += f"; limited to {limit / 1e9:.1f} GB (cgroup)"
    if available < LEAST_MEMORY:
        return Finding(
            "memory", "warning", told + ".", "Close what else runs: a fit may be ended by the system."
        )
    return Finding("memory", "ok", told)


def _quota(cgroup: Path) -> float | None:
    """Cores that a container may use at a time."""
    try:
        share, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return float(share) / float(period) if share.isdecimal() else None


def _number(file: Path) -> float | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return float(text) if text.isdecimal() else None
