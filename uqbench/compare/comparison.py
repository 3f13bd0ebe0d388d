"""Two sets of results compared: which cells answer to each other, what got worse or better, what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.compare.accuracy import Accuracy, Asked, compare_predictions, not_comparable, tests_of
from uqbench.compare.benchmarks import Benchmarks, compare_benchmarks
from uqbench.compare.cost import Costs, compare_costs
from uqbench.compare.findings import LEVEL, Change, Finding, Judged, finding, judge
from uqbench.compare.properties import compare_properties, same_properties
from uqbench.compare.side import Entry, Side
from uqbench.errors import UqbenchError

SCORES_ONLY = "time and memory not compared (--scores-only)"


@dataclass(frozen=True)
class Comparison:
    """findings: differences that count, the largest first. judged: all tests. equal: cells that are the same to the
    last bit. matched: how many both sides have. new, gone: cells of one side. unanswered: cells without a result on
    both sides. incomparable: cells, or files that could not be read, with the reason. notes: what was left out.
    """

    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]
    matched: int
    equal: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    unanswered: tuple[str, ...]
    incomparable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

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
        return 2 if self.incomparable or not self.matched else 0


def compare_sides(base: Side, new: Side, scores_only: bool = False) -> Comparison:
    """Compare records; cells answer to each other by what was asked, whatever the code that answered.

    scores_only: leave time and memory alone, as between machines.
    """
    both = [cell for cell in base.entries if cell in new.entries]
    findings = [f for cell in both if (f := _outcome(base.entries[cell], new.entries[cell]))]
    answered = [c for c in both if all(s.entries[c].record.status == "ok" for s in (base, new))]
    incomparable = [
        (f"{which}: {name}", reason)
        for which, side in (("before", base), ("now", new))
        for name, reason in side.problems.items()
    ]
    asked: list[Asked] = []
    equal: list[str] = []
    notes: list[str] = []
    for cell in answered:
        try:
            found = _compared(base.entries[cell], new.entries[cell])
        except UqbenchError as error:
            incomparable.append((cell, str(error)))
            continue
        if found is None:
            equal.append(cell)
            continue
        asked += found.asked
        findings += found.lost
        notes += [f"{cell}: {note}" for note in found.untested]
    costs = Costs([], [], [SCORES_ONLY]) if scores_only else compare_costs(base, new, answered)
    judged = _judged(tests_of(asked), costs.tests)
    findings += costs.findings + [finding(j) for j in judged if j.counts]
    return Comparison(
        tuple(sorted(findings, key=lambda f: -f.size)),
        tuple(judged),
        len(both),
        tuple(equal),
        tuple(c for c in new.entries if c not in base.entries),
        tuple(c for c in base.entries if c not in new.entries),
        tuple(c for c in both if all(s.entries[c].record.status != "ok" for s in (base, new))),
        tuple(incomparable),
        (*_software(base, new, both), *costs.notes, *notes),
    )


def compare_files(base: Benchmarks, new: Benchmarks) -> Comparison:
    """Compare files of pytest-benchmark. Raises UqbenchError for files of two machines."""
    found = compare_benchmarks(base, new)
    judged = _judged([], found.tests)
    findings = found.findings + [finding(j) for j in judged if j.counts]
    both = [name for name in base.by_name if name in new.by_name]
    return Comparison(
        tuple(sorted(findings, key=lambda f: -f.size)),
        tuple(judged),
        len(both),
        (),
        tuple(n for n in new.by_name if n not in base.by_name),
        tuple(n for n in base.by_name if n not in new.by_name),
        (),
        (),
        tuple(found.notes),
    )


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
        return Accuracy((), tuple(compare_properties(was, now)), ())
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
