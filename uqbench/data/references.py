"""Reference properties of a card beside what tasks compute: their units, and names that no task knows."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Set

from uqbench.api import Material, NotApplicable, PropertyTask, Task
from uqbench.data.dataset import Dataset
from uqbench.data.material import material_of
from uqbench.errors import UqbenchError

LIKE = 0.7
"""Likeness of two names (difflib's ratio) from which one may be a misspelling of the other."""


def check_references(dataset: Dataset, tasks: Mapping[str, type[Task]]) -> list[str]:
    """Lines on the reference properties of a dataset's card that none of the tasks, by name, uses.

    Raises UqbenchError for a reference in another unit than that of the task, which compares numbers as they stand.
    """
    card = dataset.card
    if card is None or not card.properties:
        return []
    names = {item.name for item in card.properties}
    try:
        material = material_of(card, dataset.name)
    except NotApplicable as reason:
        hints = _meant(names, {"lattice_constant"})
        return [f"  warning: its reference properties are not used: {reason}", *hints.values()]
    computed: set[str] = set()
    for task, cls in tasks.items():
        units = _units(cls, material) if issubclass(cls, PropertyTask) else {}
        computed |= set(units)
        for item in card.properties:
            if _plain(units.get(item.name, item.unit)) != _plain(item.unit):
                raise UqbenchError(
                    f"{dataset.name}: the reference {item.name} has the unit {item.unit}, the task {task} computes it "
                    f"in {units[item.name]}. Convert value and error_estimate in the card, and write unit: "
                    f"{units[item.name]}."
                )
    hints = _meant(names, computed)
    rest = sorted(names - computed - set(hints))
    return [*hints.values(), *([f"  references that no task uses: {', '.join(rest)}"] if rest else [])]


def _units(cls: type[PropertyTask], material: Material) -> Mapping[str, str]:
    """By name of the reference: the units of what a task compares with it."""
    try:
        quantities = cls().quantities(material)
        return {q.references.get(name, name): unit for q in quantities for name, unit in q.units.items()}
    # Whatever a task raises here it raises in its run, where it is reported.
    except Exception:
        return {}


def _meant(names: Set[str], known: Set[str]) -> dict[str, str]:
    """By name that is not known: a warning with the one that it resembles and the card lacks; capitals do not count."""
    by_lower = {name.lower(): name for name in sorted(known - names)}
    found = {}
    for name in sorted(names - known):
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=LIKE)
        if near:
            found[name] = f"  warning: no task uses the reference {name}. Did you mean {by_lower[near[0]]}?"
    return found


def _plain(unit: str) -> str:
    """One spelling of what Unicode has several of: the unit ångström and the letter, a raised 2 and a 2."""
    return unicodedata.normalize("NFKC", unit)
