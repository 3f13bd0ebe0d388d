"""Cells of the baseline that the run has no record of: lost by the run, taken out of the suite, or of another suite."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from uqbench.ci.asked import asks_for
from uqbench.compare.comparison import Comparison
from uqbench.compare.findings import Finding
from uqbench.compare.side import Side
from uqbench.compare.sources import opened
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench.suite.config import Suite, find_suite, load_suite
from uqbench.suite.record import Record

MISSING = "the suite asks for it, and the run left no record"
UNTOLD = (
    "the base has no file of this suite that can be read, by which to tell those that were taken out of it"
)


@dataclass(frozen=True)
class Suites:
    """What was asked for: by the suite of the base, None where it is not known, and by the one that was run."""

    before: Suite | None
    now: Suite
    registry: Registry

    def asks_for(self, record: Record) -> bool:
        """Whether the run was asked for a cell."""
        return asks_for(self.now, record.cell, self.registry)

    def dropped(self, record: Record) -> bool:
        """Whether the change takes a cell out of the suite."""
        before = self.before
        return (
            before is not None and asks_for(before, record.cell, self.registry) and not self.asks_for(record)
        )

    def without_dropped(self, new: Side) -> Side:
        """Less what an earlier run left in the folder of results, of a suite that still asked for it."""
        return replace(new, entries={k: e for k, e in new.entries.items() if not self.dropped(e.record)})


def judge_gone(found: Comparison, base: Side, head: Side | None, suites: Suites) -> Comparison:
    """The comparison, with cells that are gone though the suite asks for them as worse, unless the change takes their
    records back; those that the change takes out of the suite, but not their records, as gone; all others as no
    matter of this run.

    head: the records that the change commits, if any.
    """
    records = {name: base.entries[name].record for name in found.gone}
    kept = [name for name in records if head is None or name in head.entries]
    missed = [name for name in records if suites.asks_for(records[name])]
    dropped = [name for name in kept if suites.dropped(records[name])]
    others = len([name for name in kept if name not in missed]) - len(dropped)
    findings = [
        Finding(name, "result", True, "given", "no record", MISSING, math.inf)
        for name in missed
        if name in kept
    ]
    return replace(
        found,
        gone=(*missed, *dropped),
        findings=(*findings, *found.findings),
        notes=(*found.notes, *_others(others, suites.before)),
    )


def _others(n: int, before: Suite | None) -> list[str]:
    if not n:
        return []
    if before is None:
        return [
            f"cells of the baseline that the suite does not ask for, and that are not looked at: {n}; {UNTOLD}"
        ]
    return [f"cells of the baseline that belong to other suites, and are not looked at: {n}"]


def suite_before(base: str, name: str, now: Suite) -> Suite | None:
    """What the suite asked for when the records of the base were made, with the options of this run; None where the
    base has no such suite.

    base: a git revision, in which the suite's file has the place that it has here, or a folder of records, beside
    which its run left a suite.yaml. name: of the suite, or its file. now: the suite as it was run.
    """
    try:
        file = find_suite(name)
        said = load_suite(file)
        if Path(base).exists():
            before = load_suite(Path(base).resolve().parent / "suite.yaml")
            # Runs of several suites may have left records there, the last of them the file.
            if before.name != now.name:
                return None
        else:
            with opened(f"{base.partition(':')[0]}:./{os.path.relpath(file)}") as there:
                before = load_suite(there)
    except UqbenchError:
        return None
    # Fields that differ from the file were given as options, which count for both.
    given = {k: getattr(now, k) for k in Suite.model_fields if getattr(now, k) != getattr(said, k)}
    return before.model_copy(update=given)
