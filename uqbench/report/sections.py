"""What may stand side by side: cells of one task, dataset, backbone, device, train size, seed, data and split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from uqbench.api import KINDS
from uqbench.report.ranking import Ranking, rank_rows
from uqbench.suite.raw import PARTS
from uqbench.suite.record import Record

if TYPE_CHECKING:
    from uqbench.report.evidence import Row

Key = tuple[str, str, str, str, float, int, str, str]


@dataclass(frozen=True)
class Section:
    """Records (at least one) whose methods were fitted and scored on the same split; rows of those with scores."""

    title: str
    slug: str
    records: list[Record]
    rows: list[Row]

    @property
    def first(self) -> Record:
        """For what all records of the section share."""
        return self.records[0]

    @cached_property
    def kinds(self) -> list[str]:
        """Kinds that have rows, energy, forces and stress first."""
        found = {r.kind for r in self.rows}
        return [k for k in KINDS if k in found] + sorted(found - set(KINDS))

    def of(self, kind: str, part: str) -> list[Row]:
        """The rows of one table."""
        return [r for r in self.rows if r.kind == kind and r.part == part]

    @cached_property
    def rankings(self) -> dict[tuple[str, str], Ranking]:
        """Tables by (kind, part), in the order in which they are shown."""
        tables = [(kind, part) for kind in self.kinds for part in PARTS]
        return {table: rank_rows(rows) for table in tables if (rows := self.of(*table))}


def make_sections(records: Sequence[Record], rows: Sequence[Row]) -> list[Section]:
    """Sections in order of task, dataset, backbone, device, train size (largest first), seed."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        groups.setdefault(section_key(record), []).append(record)
    by_cell: dict[str, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(row.record.cell_id, []).append(row)
    several_sizes = len({key[4] for key in groups}) > 1
    several_seeds = len({key[5] for key in groups}) > 1
    cells = [key[:6] for key in groups]
    sections = []
    for key, group in sorted(groups.items()):
        task, dataset, backbone, device, _, seed, _, split = key
        words = [task, dataset, backbone, device]
        words += [f"train size {group[0].cell.train_size:g}"] if several_sizes else []
        words += [f"seed {seed}"] if several_seeds else []
        # The same cells on changed data or another split must not be told apart by chance alone.
        words += [f"split {split[:8]}"] if cells.count(key[:6]) > 1 else []
        own = [row for record in group for row in by_cell.get(record.cell_id, [])]
        sections.append(Section(" · ".join(words), _slug(words, key), group, own))
    return sections


def section_key(record: Record) -> Key:
    """What records of one section share; sorts in the order of the report."""
    cell, data = record.cell, record.data
    return (
        cell.task,
        cell.dataset,
        cell.backbone,
        cell.device,
        -cell.train_size,
        cell.seed,
        data.hash,
        data.split_hash,
    )


def _slug(words: list[str], key: Key) -> str:
    """A file name, unique through the end of the key's hash."""
    text = "-".join(words).lower()
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in text)
    return f"{plain[:60].strip('-.')}-{hashlib.sha256(repr(key).encode()).hexdigest()[:6]}"
