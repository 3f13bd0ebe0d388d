"""Finds methods, tasks and backbones: built-in files, entry points, and files named on the command line.

One that takes several files is a package with a plugin.py, and named after the package.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

from uqbench.api import Backbone, Method, Task
from uqbench.errors import UqbenchError

Group: TypeAlias = Literal["methods", "tasks", "backbones"]
Plugin: TypeAlias = type[Method] | type[Task] | type[Backbone]

PLUGIN_MODULE = "uqbench_plugin_"
"""Begins the module names of plugins that were given by their files."""

_PACKAGES = {"methods": "uqbench_methods", "tasks": "uqbench_tasks", "backbones": "uqbench.backbones"}
_BASES: dict[str, type] = {"methods": Method, "tasks": Task, "backbones": Backbone}


@dataclass(frozen=True)
class Registry:
    """What is installed: classes by name a group, and what is broken with the reason."""

    methods: dict[str, type[Method]]
    tasks: dict[str, type[Task]]
    backbones: dict[str, type[Backbone]]
    broken: dict[str, str]

    def find(self, group: Group, name: str) -> Plugin:
        """The class of that name; raises UqbenchError with the nearest names, or with why it is broken."""
        found: dict[str, Plugin] = getattr(self, group)
        if name in found:
            return found[name]
        if name in self.broken:
            raise UqbenchError(f"{group[:-1]} {name!r} is broken: {self.broken[name]}")
        hint = f" Is it in {name}.py? Add --plugin {name}.py." if _is_beside(name) else ""
        raise UqbenchError(unknown(group[:-1], name, found) + hint)


def _is_beside(name: str) -> bool:
    """Whether the working folder has a Python file of that name."""
    return name.isidentifier() and Path(f"{name}.py").is_file()


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not there."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"no {what} is called {name!r}.{hint} There are: {', '.join(names) or 'none'}."


def discover(plugins: Iterable[Path] = ()) -> Registry:
    """All built-in and entry-point plugins, and those in the given files.

    A plugin that fails to import is listed in `broken` and takes no other down; a file given by path that
    fails raises UqbenchError, since it was asked for.
    """
    found: dict[str, dict[str, Plugin]] = {g: {} for g in _BASES}
    broken: dict[str, str] = {}
    for group, package in _PACKAGES.items():
        folder = Path(next(iter(importlib.import_module(package).__path__)))
        names = {p.stem: f"{package}.{p.stem}" for p in sorted(folder.glob("[!_]*.py"))}
        names |= {
            p.parent.name: f"{package}.{p.parent.name}.plugin" for p in sorted(folder.glob("*/plugin.py"))
        }
        for name, target in names.items():
            _add(found, broken, group, name, target)
        for entry in entry_points(group=f"uqbench.{group}"):
            _add(found, broken, group, entry.name, entry.value.split(":")[0])
    for path in plugins:
        module = load_file(path)
        for group, base in _BASES.items():
            if cls := _defined_in(module, base):
                if path.stem in found[group]:
                    raise UqbenchError(
                        f"plugin {path}: a {group[:-1]} called {path.stem!r} is installed already; rename the file."
                    )
                found[group][path.stem] = cls
                break
        else:
            raise UqbenchError(
                f"{path} defines no method, task or backbone; subclass one of uqbench.api's LinearMethod, "
                "NetworkMethod, CommitteeMethod, FrameTask, PropertyTask, LinearBackbone, NetworkBackbone in it."
            )
    return Registry(found["methods"], found["tasks"], found["backbones"], broken)  # pyright: ignore[reportArgumentType]


def _add(
    found: dict[str, dict[str, Plugin]], broken: dict[str, str], group: str, name: str, target: str
) -> None:
    try:
        cls = _defined_in(importlib.import_module(target), _BASES[group])
    except (Exception, SystemExit) as error:  # whatever a plugin raises is its own fault, and is reported
        broken[name] = f"{target}: {type(error).__name__}: {error}"
        return
    if cls is None:
        return
    if not dataclasses.is_dataclass(cls):
        broken[name] = (
            f"{target}: {cls.__name__} is not a dataclass; decorate it with @dataclass(frozen=True)."
        )
        return
    found[group][name] = cls  # pyright: ignore[reportArgumentType]


def _defined_in(module: ModuleType, base: type) -> Any:
    """The concrete subclass that a module defines, the last if there are several."""
    classes = [
        c
        for _, c in inspect.getmembers(module, inspect.isclass)
        if issubclass(c, base) and not inspect.isabstract(c) and c.__module__ == module.__name__
    ]
    return classes[-1] if classes else None


def load_file(path: Path) -> ModuleType:
    """Import a plugin from its file, under a name that worker processes can find again."""
    if not path.is_file():
        raise UqbenchError(f"plugin file {path} does not exist.")
    name = f"{PLUGIN_MODULE}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UqbenchError(f"plugin file {path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UqbenchError(f"plugin {path} fails to import: {type(error).__name__}: {error}") from error
    return module


def source_file(cls: type) -> Path:
    """The file that defines a plugin."""
    return Path(inspect.getfile(cls))


def source_files(cls: type) -> list[Path]:
    """All files of a plugin: its own, or those of its package."""
    file = source_file(cls)
    return sorted(file.parent.glob("*.py")) if file.name == "plugin.py" else [file]
