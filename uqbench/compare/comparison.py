"""Two sets of results compared: which cells answer to each other, what got worse or better, what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.compare.accuracy import (
    Accuracy,
    Asked,
    compare_predictions,
    narrowed_below_claim,
    not_comparable,
    tests_of,
)
from uqbench.compare.benchmarks import Benchmarks, compare_benchmarks, sure_at_any_pace
from uqbench.compare.cost import Costs, compare_costs
from uqbench.compare.faults import no_verdict
from uqbench.compare.findings import LEVEL, Change, Finding, Judged, finding, judge
from uqbench.compare.pairing import pair_cells
from uqbench.compare.properties import changed_references, compare_properties, same_properties
from uqbench.compare.side import Entry, Side
from uqbench.errors import UqbenchError

SCORES_ONLY = "time and memory not compared (--scores-only)"
NARROWED = "narrower, and no improvement, for coverage falls short of the claim by it"


@dataclass(frozen=True)
class Comparison:
    """findings: differences that count, the largest first. judged: all tests. equal: cells that are the same to the
    last bit. matched: how many both sides have. new, gone: cells of one side. unanswered: cells without a result on
    both sides; otherwise: those of them that now have another reason. incomparable: cells, or files that could not be
    read, with the reason. accepted: what a change to the baseline itself accepts. notes: what was left out.
    """

    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]
    matched: int
    equal: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    incomparable: tuple[tuple[str, str], ...] = ()
    accepted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> list[Finding]:
        """Regressions."""
        return [f for f in self.findings if f.worse]

    @property
    def better(self) -> list[Finding]:
        """Improvements."""
        return [f for f in self.findings if not f.worse]

    @property
    def exit_code(self) -> int:
        """1 for a regression; 2 if there is none but something, or everything, could not be compared; else 0."""
        if self.worse:
            return 1
        return 2 if self.incomparable or not (self.matched or self.accepted) else 0


def compare_sides(base: Side, new: Side, scores_only: bool = False) -> Comparison:
    """Compare records; cells answer to each other by what was asked, whatever the code that answered.

    scores_only: leave time and memory alone, as between machines.
    """
    pairing = pair_cells(base, new)
    both = pairing.both
    findings = [f for cell in both if (f := _outcome(base.entries[cell], new.entries[cell]))]
    answered = [c for c in both if all(s.entries[c].record.status == "ok" for s in (base, new))]
    unanswered = [c for c in both if all(s.entries[c].record.status != "ok" for s in (base, new))]
    incomparable = [
        (f"{which}: {name}", reason)
        for which, side in (("before", base), ("now", new))
        for name, reason in side.problems.items()
    ]
    incomparable += pairing.changed
    asked: list[Asked] = []
    equal: list[str] = []
    notes: list[str] = []
    for cell in answered:
        old, now = base.entries[cell], new.entries[cell]
        try:
            with no_verdict("it cannot be compared"):
                found = _compared(old, now)
        except UqbenchError as error:
            incomparable.append((cell, _without_folders(str(error), old, now)))
            continue
        if found is None:
            equal.append(cell)
            continue
        asked += found.asked
        findings += found.found
        incomparable += [(cell, reason) for reason in found.incomparable]
        notes += [f"{cell}: {note}" for note in found.untested]
    costs = Costs([], [], [SCORES_ONLY], []) if scores_only else compare_costs(base, new, answered)
    judged = _judged(tests_of(asked), costs.tests)
    narrowed = narrowed_below_claim(judged)
    notes += [
        f"{cell}: {NARROWED}: {', '.join(j.test.what for j in narrowed if j.test.where == cell)}"
        for cell in dict.fromkeys(j.test.where for j in narrowed)
    ]
    findings += costs.findings + [finding(j) for j in judged if j.counts and j not in narrowed]
    return Comparison(
        findings=_largest_first(findings),
        judged=tuple(judged),
        matched=len(both),
        equal=tuple(equal),
        new=pairing.new,
        gone=pairing.gone,
        unanswered=tuple(unanswered),
        otherwise=tuple(text for c in unanswered if (text := _otherwise(base.entries[c], new.entries[c]))),
        incomparable=(*incomparable, *costs.incomparable),
        notes=(*_software(base, new, both), *costs.notes, *notes),
    )


def compare_files(base: Benchmarks, new: Benchmarks) -> Comparison:
    """Compare files of pytest-benchmark. Raises UqbenchError for files of two machines.

    Where most benchmarks took another time, only what no pace of the machine explains is found.
    """
    found = compare_benchmarks(base, new)
    judged = _judged([], found.tests)
    counting = [j for j in judged if j.counts and (not found.pace or sure_at_any_pace(j))]
    return Comparison(
        findings=_largest_first([*found.findings, *map(finding, counting)]),
        judged=tuple(judged),
        matched=sum(name in new.by_name for name in base.by_name),
        new=tuple(n for n in new.by_name if n not in base.by_name),
        gone=tuple(n for n in base.by_name if n not in new.by_name),
        incomparable=(("times of the benchmarks", found.pace),) if found.pace else (),
        notes=tuple(found.notes),
    )


def _largest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: -f.size))


def _without_folders(text: str, *entries: Entry) -> str:
    """A reason as it reads on any machine."""
    for entry in entries:
        text = text.replace(f"{entry.path.parent}/", "")
    return text


def _otherwise(old: Entry, new: Entry) -> str:
    """How a cell without a result differs from before; empty if it does not."""
    was, now = ((e.record.status, _reason(e)) for e in (old, new))
    return "" if was == now else f"{old.record.cell_id}: {now[0]}: {now[1]} (before: {was[0]}: {was[1]})"


def _judged(scores: Sequence[Change], times: Sequence[Change]) -> list[Judged]:
    """Two families with half the level each, so that hundreds of scores do not drown a slowdown."""
    return judge(scores, 0.5 * LEVEL) + judge(times, 0.5 * LEVEL)


def _outcome(old: Entry, new: Entry) -> Finding | None:
    """A cell that lost its result, or got one."""
    was, now = old.record, new.record
    if was.status == now.status or "ok" not in (was.status, now.status):
        if was.status == "not applicable" and now.status == "failed":
            return Finding(was.cell_id, "result", True, was.status, now.status, _reason(new), math.inf)
        return None
    worse = was.status == "ok"
    reason = _reason(new) if worse else f"before: {_reason(old)}"
    return Finding(was.cell_id, "result", worse, was.status, now.status, reason, math.inf)


def _reason(entry: Entry) -> str:
    failure = entry.record.failure
    return failure.reason if failure else "no reason given"


def _compared(old: Entry, new: Entry) -> Accuracy | None:
    """Scores of one cell; None if nothing changed. Raises UqbenchError where they cannot be compared."""
    was, now = old.record, new.record
    if reason := not_comparable(was, now):
        raise UqbenchError(reason)
    if was.raw is None and now.raw is None:
        if not (was.properties and now.properties):
            raise UqbenchError("neither raw predictions nor properties are kept; run the cell again")
        if same_properties(was, now):
            return None
        return Accuracy((), tuple(compare_properties(was, now)), (), tuple(changed_references(was, now)))
    return compare_predictions(old, new)


def _software(base: Side, new: Side, cells: Sequence[str]) -> list[str]:
    """Which packages have another version, for a difference may be theirs."""
    changed: dict[str, int] = {}
    for cell in cells:
        was, now = (s.entries[cell].record.software for s in (base, new))
        for name in sorted({*was, *now}):
            if was.get(name) != now.get(name):
                text = f"{name} {was.get(name, 'absent')} before, {now.get(name, 'absent')} now"
                changed[text] = changed.get(text, 0) + 1
    return [f"{text} ({n} cells)" for text, n in changed.items()]
