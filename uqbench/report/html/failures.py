"""Cells that failed or did not apply: one line for those that ended alike."""

from __future__ import annotations

from collections.abc import Sequence

from uqbench.report.html.columns import Column, PageTable
from uqbench.suite.record import Record

LONGEST = 500
_COLUMNS = (
    Column("method", "text", True),
    Column("task", "text", True),
    Column("backbone", "text", True),
    Column("device", "text", True),
    Column("what", "text", True),
    Column("cells", "count"),
    Column("datasets", "text"),
    Column("why", "text"),
)


def failures_table(records: Sequence[Record]) -> PageTable:
    """A row for each method, task, backbone, device, outcome and reason (the dataset's name left out of it)."""
    table = PageTable("failures", "Cells without a result", _COLUMNS)
    groups: dict[tuple[str, ...], list[str]] = {}
    for record in (r for r in records if r.status != "ok"):
        cell = record.cell
        reason = record.failure.reason.replace(cell.dataset, "…")[:LONGEST] if record.failure else "–"
        alike = (cell.method, cell.task, cell.backbone, cell.device, record.status, reason)
        groups.setdefault(alike, []).append(cell.dataset)
    for (*told, reason), datasets in groups.items():
        names = sorted(set(datasets))
        between = names if len(names) < 3 else [names[0], "…", names[-1]]
        table.rows.append([*told, len(datasets), " ".join(between), reason])
    return table
