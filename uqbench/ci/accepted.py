"""A change that is meant brings its own baseline: what is worse, and committed as exactly that, is accepted.

Scores are accepted where the change commits, for that cell, another record than the base branch has, and the run gave
what that record says to 1e-9. Times and memory, which no run repeats, where the comparison with the committed records
of the change finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from uqbench.compare.comparison import Comparison, compare_sides
from uqbench.compare.cost import fit_of
from uqbench.compare.findings import Finding
from uqbench.compare.side import Side
from uqbench.compare.submission import unequal
from uqbench.suite.record import Record


def accept(found: Comparison, base: Side, head: Side, new: Side) -> Comparison:
    """The comparison of new with base, less what head, the records that the change commits, says already."""
    restated = {cell for cell in new.entries if _restated(cell, base, head, new)}
    fits = {
        fit_of(head.entries[c].record) for c in new.entries if _changed(c, base, head) and c in head.entries
    }
    slow = [f for f in found.worse if f.where in fits and f.where not in new.entries]
    still = _costs_found(compare_sides(head, new)) if slow else set()
    accepted = [f for f in found.worse if f.where in restated]
    accepted += [f for f in slow if (f.where, f.what) not in still and _timed_alike(f, head, new)]
    untold = [(who, why) for who, why in found.incomparable if who in restated]
    said = [f"{f.where}: {f.what}: {f.before} before, {f.after} now" for f in accepted]
    return replace(
        found,
        findings=tuple(f for f in found.findings if f not in accepted),
        incomparable=tuple(pair for pair in found.incomparable if pair not in untold),
        accepted=(*said, *(f"{who}: {why}" for who, why in untold)),
    )


def _changed(cell: str, base: Side, head: Side) -> bool:
    """Whether the change commits another record of a cell than the base branch has."""
    before, after = (side.entries.get(cell) for side in (base, head))
    return after is not None and (before is None or before.record != after.record)


def _restated(cell: str, base: Side, head: Side, new: Side) -> bool:
    """Whether the change commits another record of a cell, and the run gave just what it says."""
    if not _changed(cell, base, head):
        return False
    stated, found = head.entries[cell].record, new.entries[cell].record
    return found.status != "failed" and not any(True for _ in unequal(_results(stated), _results(found), ()))


def _results(record: Record) -> dict[str, Any]:
    kept = record.model_dump(include={"status", "scores", "groups", "properties"})
    hashes = {"data": record.data.hash, "split": record.data.split_hash}
    properties = {str(i): {**p, "seconds": {}} for i, p in enumerate(kept.pop("properties"))}
    return {**kept, **hashes, "properties": properties}


def _costs_found(found: Comparison) -> set[tuple[str, str]]:
    return {(f.where, f.what) for f in found.worse}


def _timed_alike(finding: Finding, head: Side, new: Side) -> bool:
    """Whether committed costs of the finding's fit are of the run's machine class, and of a machine that was idle."""
    pairs: Sequence[tuple[Record, Record]] = [
        (head.entries[c].record, e.record)
        for c, e in new.entries.items()
        if c in head.entries and fit_of(e.record) == finding.where
    ]
    return all(a.machine_class == b.machine_class and not a.cost.get("contended") for a, b in pairs)
