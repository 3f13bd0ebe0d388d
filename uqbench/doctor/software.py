"""Packages: those that uqbench needs, and its extras, each in a version that will do."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from uqbench.doctor.finding import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

FOR = {
    "snap": "the backbone snap",
    "mace": "the backbone mace and its networks",
    "cqr": "the method cqr",
    "dask": "runs on several processes or machines",
    "hdf5": "uqbench convert",
    "html": "uqbench report --html",
    "docs": "building these pages",
    "dev": "the tests",
}
"""What an extra is for, where its name does not say it."""


def software() -> list[Finding]:
    """What is required, as one finding if all is well, then each extra. What is declared is that of the package."""
    try:
        own, declared = version("uqbench"), requires("uqbench") or []
    except PackageNotFoundError:
        remedy = "In the folder with pyproject.toml: pip install -e '.[snap]'"
        return [Finding("uqbench", "broken", "it is not installed, only found in a folder.", remedy)]
    from packaging.requirements import Requirement

    requirements = [Requirement(text) for text in declared]
    by_extra = _by_extra(requirements)
    required = by_extra.pop("", [])
    wrong = _wrong(required)
    if wrong:
        names = " ".join(f"'{name}{r.specifier}'" for name, r, _ in wrong)
        first = Finding("uqbench " + own, "broken", _told(wrong), f"pip install {names}")
    else:
        first = Finding("uqbench " + own, "ok", _versions(required))
    return [first, *(_extra(name, own) for name, own in sorted(by_extra.items()) if name != "dev")]


def _extra(name: str, needed: Iterable[Requirement]) -> Finding:
    wrong = _wrong(needed)
    what = f"[{name}]" + (f" {FOR[name]}" if name in FOR else "")
    if not wrong:
        return Finding(what, "ok", _versions(needed))
    too_old = any(found for _, _, found in wrong)
    return Finding(what, "warning" if too_old else "missing", _told(wrong), f"pip install 'uqbench[{name}]'")


def _by_extra(requirements: Iterable[Requirement]) -> dict[str, list[Requirement]]:
    """Requirements of this machine by extra, those that are always needed under the empty name."""
    found: dict[str, list[Requirement]] = {}
    for requirement in requirements:
        marker = requirement.marker
        text = str(marker or "")
        extra = text.partition("extra == ")[2].strip("\"' )")
        if marker is None or marker.evaluate({"extra": extra}):
            found.setdefault(extra, []).append(requirement)
    return found


def _wrong(needed: Iterable[Requirement]) -> list[tuple[str, Requirement, str]]:
    """Name, requirement and the version found (empty: none) of what is missing or too old."""
    wrong = []
    for requirement in needed:
        found = _version(requirement.name)
        if not found or not requirement.specifier.contains(found, prereleases=True):
            wrong.append((requirement.name, requirement, found))
    return wrong


def _told(wrong: Iterable[tuple[str, Requirement, str]]) -> str:
    told = [
        f"{name} is {found}, and {requirement.specifier} is needed" if found else f"{name} is not installed"
        for name, requirement, found in wrong
    ]
    return "; ".join(told) + "."


def _versions(needed: Iterable[Requirement]) -> str:
    return ", ".join(f"{r.name} {_version(r.name)}" for r in needed)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
