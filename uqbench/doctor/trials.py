"""Backbones and devices, each tried in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from uqbench.api import Backbone, NetworkBackbone
from uqbench.doctor.finding import Finding, State
from uqbench.doctor.probe import try_backbone, try_cuda
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench.suite.isolated import run_isolated
from uqbench.suite.plan import missing_packages
from uqbench.suite.server import start_server

TIMEOUT = 300.0
"""Seconds that a trial may take; importing torch from a cold network disk has taken two minutes."""


def backbones(registry: Registry, plugins: Sequence[Path], devices: Sequence[str]) -> list[Finding]:
    """Each backbone on each device that works; broken is one that is installed and does not compute."""
    found = []
    for name, cls in sorted(registry.backbones.items()):
        found += _backbone(name, cls, plugins, devices)
    if not any(f.state == "ok" for f in found):
        remedy = "pip install 'uqbench[snap]'"
        found.append(Finding("any backbone", "broken", "none works, so nothing can be run.", remedy))
    return found


def _backbone(
    name: str, cls: type[Backbone], plugins: Sequence[Path], devices: Sequence[str]
) -> list[Finding]:
    if missing := missing_packages(cls):
        told = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed."
        return [Finding(name, "missing", told, f"pip install {_packages(name, missing)}")]
    several = issubclass(cls, NetworkBackbone)
    found = []
    for device in devices if several else ("cpu",):
        state, told = _tried(try_backbone, (name, tuple(p.resolve() for p in plugins), device))
        remedy = "" if state == "ok" else _remedy(name, cls)
        found.append(Finding(f"{name} on {device}" if several else name, state, told, remedy))
    return found


def _packages(name: str, missing: Sequence[str]) -> str:
    """The extra of that name, if there is one; for what a plugin needs, its own packages."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        extras = metadata("uqbench").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        extras = []
    return f"'uqbench[{name}]'" if name in extras else " ".join(missing)


def _remedy(name: str, cls: type[Backbone]) -> str:
    if not cls.distributions:
        return "Report this with the lines above, or, if the backbone is a plugin, mend it."
    packages = _packages(name, cls.distributions)
    return f"pip install --force-reinstall {packages} -c constraints.txt; runs do without it until then."


def devices() -> list[Finding]:
    """The processor, and the GPU if one can be computed on."""
    from uqbench.cost.machine import describe_machine

    machine = describe_machine()
    return [
        Finding("cpu", "ok", f"{machine['cpu']}, {machine['cores']} cores ({machine['architecture']})"),
        _cuda(machine["gpu"]),
    ]


def _cuda(gpu: dict[str, str] | None) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    seen = f"{gpu['name']}, driver {gpu['driver']}, {gpu['memory']}" if gpu else ""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        if seen:
            return Finding(
                "cuda", "missing", f"{seen}; torch is not installed.", "pip install 'uqbench[mace]'"
            )
        return Finding(
            "cuda", "missing", "no NVIDIA driver answers (nvidia-smi), and torch is not installed."
        )
    if not seen:
        return Finding("cuda", "missing", "no NVIDIA driver answers (nvidia-smi); runs are on the cpu.")
    state, told = _tried(try_cuda, ())
    if state == "ok":
        return Finding("cuda", "ok", told)
    remedy = (
        f"Install a torch for CUDA that driver {gpu['driver'] if gpu else ''} can run (torch {torch} is "
        "installed): https://pytorch.org/get-started/locally; or run with --device cpu."
    )
    return Finding("cuda", "broken", f"{seen}: {told}", remedy)


def _tried(work: Callable[..., None], arguments: tuple[Any, ...]) -> tuple[State, str]:
    """Whether it worked, and what it said, or why not in one line."""
    said: list[str] = []
    start_server()
    with TemporaryDirectory(prefix="uqbench-doctor-") as folder:
        try:
            failure = run_isolated(work, arguments, Path(folder) / "log", TIMEOUT, said.append)
        except UqbenchError as error:
            failure = str(error)
    if failure:
        return "broken", failure.splitlines()[0]
    return "ok", said[-1] if said else "it computes."
