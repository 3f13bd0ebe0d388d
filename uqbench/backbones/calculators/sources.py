"""What a list of calculators is made from: package.module:function, file.py:function, or files of mace."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uqbench.api import Origin
from uqbench.checksum import file_sha256
from uqbench.errors import UqbenchError
from uqbench.registry import load_file, unknown

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

WAYS = "package.module:function, file.py:function, or a model file of mace"


def origin_of(text: str) -> Origin:
    """The module or file that an entry names, with the hash of what is in it.

    A module is found, which imports the packages that it lies in, and not run. Raises UqbenchError for what is not
    there.
    """
    place, colon, _ = text.rpartition(":")
    if not colon and text.endswith(".py"):
        raise UqbenchError(f"calculators {text!r}: name the function that returns them, {text}:FUNCTION.")
    if not colon:
        return file_origin(text)
    if place.endswith(".py"):
        path = _existing(Path(place), text)
        return Origin(text, text.replace(place, path.name), file_sha256(path), pickled=False)
    file = _module_file(place, text)
    return Origin(text, text, file_sha256(file) if file else "", pickled=False)


def file_origin(text: str) -> Origin:
    """A pickled model file: its name and the beginning of its hash stand for it, so that files of one name differ."""
    path = _existing(Path(text), text)
    digest = file_sha256(path)
    return Origin(text, f"{path.name}@{digest[:8]}", digest, pickled=True)


def made_by(text: str) -> list[Calculator]:
    """What the function of an entry returns. Raises UqbenchError naming the entry for everything that goes wrong."""
    function = _function(text)
    try:
        returned = function()
    except Exception as error:
        raise UqbenchError(f"{text} fails: {type(error).__name__}: {error}") from error
    found = [returned] if hasattr(returned, "get_potential_energy") else returned
    if not isinstance(found, Iterable):
        raise UqbenchError(
            f"{text} returned {type(returned).__name__}; a list of ASE calculators is needed, two at least."
        )
    calculators: list[Any] = list(found)
    for number, one in enumerate(calculators):
        if not hasattr(one, "get_potential_energy"):
            raise UqbenchError(
                f"{text}: entry {number} of what it returned is of type {type(one).__name__}, not an ASE calculator."
            )
    return calculators


def _function(text: str) -> Callable[[], object]:
    place, _, name = text.rpartition(":")
    if place.endswith(".py"):
        module = load_file(Path(place))
    else:
        try:
            module = importlib.import_module(place)
        except (Exception, SystemExit) as error:
            raise UqbenchError(f"{place} fails to import: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        names = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
        raise UqbenchError(f"{place}: {unknown('function', name, names)}")
    return function


def _module_file(name: str, text: str) -> Path | None:
    """Where a module lies, or None if it has no file."""
    try:
        found = importlib.util.find_spec(name)
    except (Exception, SystemExit) as error:
        raise UqbenchError(f"{text}: {name} cannot be imported: {type(error).__name__}: {error}") from error
    if found is None:
        raise UqbenchError(
            f"{text}: there is no module {name!r} on Python's path; install it, or give its file (PATH.py:function)."
        )
    return Path(found.origin) if found.has_location and found.origin else None


def _existing(path: Path, text: str) -> Path:
    if not path.is_file():
        raise UqbenchError(f"calculators {text!r}: there is no file {path}; give {WAYS}.")
    return path
