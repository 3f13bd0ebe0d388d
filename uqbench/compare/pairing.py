"""Which cells answer to each other: those of one id; of a user's file, by name without the hash of its content."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from uqbench.compare.side import Entry, Side
from uqbench.suite.plan import Cell

CONTENT = re.compile(r"@[0-9a-f]{8}(?=[/,+]|$)")
"""What a cell_id says of the content of a user's file."""


@dataclass(frozen=True)
class Pairing:
    """both: cells of both sides. new, gone: of one side. changed: cells of now whose file was another one before, with
    what changed. A cell whose record cannot be read on the other side is in none of them.
    """

    both: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]


def pair_cells(base: Side, new: Side) -> Pairing:
    """Pair the cells of two sides."""
    left = _alone(base, new)
    came = _alone(new, base)
    before = _by_name(left.values())
    after = _by_name(came.values())
    changed = [
        (entry.record.cell_id, _what_changed(before[name][0], entry))
        for name in before.keys() & after.keys()
        for entry in after[name]
    ]
    return Pairing(
        tuple(cell for cell in base.entries if cell in new.entries),
        tuple(cell for cell in came if CONTENT.sub("", cell) not in before),
        tuple(cell for cell in left if CONTENT.sub("", cell) not in after),
        tuple(sorted(changed)),
    )


def _alone(side: Side, other: Side) -> dict[str, Entry]:
    """Cells that the other side lacks, though all that it has could be read."""
    unread = {name.partition(", line ")[0] for name in other.problems}
    return {
        cell: entry
        for cell, entry in side.entries.items()
        if cell not in other.entries and not unread & {entry.path.name, _file_name(entry)}
    }


def _file_name(entry: Entry) -> str:
    return f"{Cell(**entry.record.cell.model_dump()).file_stem}.json"


def _by_name(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(CONTENT.sub("", entry.record.cell_id), []).append(entry)
    return found


def _what_changed(old: Entry, new: Entry) -> str:
    was, now = old.record.cell, new.record.cell
    if was.dataset != now.dataset:
        return f"the dataset changed ({was.dataset} before, {now.dataset} now)"
    return f"a file of the backbone changed ({was.backbone} before, {now.backbone} now)"
