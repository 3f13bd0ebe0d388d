"""Time and memory of two sets of records: ratios to the bare prediction, time of fits, memory at its peak.

One fit answers several tasks and is timed once: its cost stands in every record and is compared once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from uqbench.compare.cost_check import cost_problem
from uqbench.compare.findings import Change, Finding, factor
from uqbench.compare.memory import memory_findings
from uqbench.compare.side import Side
from uqbench.compare.timing import LEAST_REPEATS, SLOWDOWN, TimedPair, Timing, timed_pair, timing_tests
from uqbench.suite.record import Record

RATIO_PROCESS = 0.02
"""Standard deviation of ln(prediction / bare) between processes, beside what repeats tell: five runs of five methods
on a shared machine of two cores scattered by 0.02 to 0.04 in all, where quartiles of repeats tell 0.02 to 0.06."""
FIT_PROCESS = 0.10
"""The same of the processor time of a fit."""
LEAST_FIT_SECONDS = 1.0
"""Fits that take less in all are dominated by what runs once in a process."""


@dataclass(frozen=True)
class Costs:
    """tests: of times. findings: of memory. notes: what was not compared and why, with how often. incomparable: cells
    whose costs are no costs, with what is wrong.
    """

    tests: list[Change]
    findings: list[Finding]
    notes: list[str]
    incomparable: list[tuple[str, str]]


Pair = tuple[Record, Record]


def compare_costs(base: Side, new: Side, cells: list[str]) -> Costs:
    """Costs of the fits behind cells that have a result on both sides."""
    tasks = [_tasks_of_fits(side) for side in (base, new)]
    pairs: dict[str, Pair] = {}
    fits: dict[str, Pair] = {}
    refused: dict[str, set[str]] = {}
    incomparable: dict[str, str] = {}
    for cell in cells:
        was, now = base.entries[cell].record, new.entries[cell].record
        fit = fit_of(was)
        if wrong := cost_problem(was) or cost_problem(now):
            incomparable[cell] = f"{'before' if cost_problem(was) else 'now'}: {wrong}"
            continue
        reason = _not_comparable(was, now)
        if reason:
            refused.setdefault(reason, set()).add(fit)
            continue
        # A task that was run by itself has no time of predictions.
        if fit not in pairs or not _both_timed(pairs[fit]):
            pairs[fit] = (was, now)
        if was.raw is not None:
            fits.setdefault(fit, (was, now))
    ratios = [t for fit, pair in pairs.items() if (t := _prediction(fit, *pair))]
    fitting = [t for fit, pair in fits.items() if not _too_short(*pair) and (t := _fitting(fit, *pair))]
    memory = [f for fit, pair in pairs.items() if tasks[0][fit] == tasks[1][fit] for f in _memory(fit, *pair)]
    total = len({fit_of(base.entries[cell].record) for cell in cells})
    notes = [
        f"time and memory not compared, {len(found)} of {total} fits: {r}" for r, found in refused.items()
    ]
    others = sum(tasks[0][fit] != tasks[1][fit] for fit in pairs)
    if others:
        notes.append(
            f"memory not compared, {others} of {len(pairs)} fits: their processes evaluated other tasks"
        )
    unsaid = sum(any(_repeats_unsaid(r) for r in pair) for pair in pairs.values())
    if unsaid:
        notes.append(
            f"time of a prediction not compared, {unsaid} of {len(pairs)} fits: a record does not say how often it "
            "was timed (cost.predict.repeats); run the cell again"
        )
    notes += _left_out(pairs, fits)
    notes += _bare_note(pairs)
    tests = timing_tests(ratios, RATIO_PROCESS) + timing_tests(fitting, FIT_PROCESS)
    return Costs(tests, memory, notes, list(incomparable.items()))


def _both_timed(pair: Pair) -> bool:
    return all(record.cost.get("predict") for record in pair)


def fit_of(record: Record) -> str:
    """The cell without its task."""
    return record.cell_id.replace(f"/{record.cell.task}/train=", "/train=")


def _tasks_of_fits(side: Side) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entry in side.entries.values():
        found.setdefault(fit_of(entry.record), set()).add(entry.record.cell.task)
    return found


def _not_comparable(was: Record, now: Record) -> str:
    if was.machine_class != now.machine_class:
        return f"other machines ({was.machine_class} before, {now.machine_class} now)"
    if (before := _threads(was)) != (after := _threads(now)):
        return f"other numbers of threads ({before} before, {after} now)"
    if was.cost.get("contended") or now.cost.get("contended"):
        return "the machine was busy with other work"
    return ""


def _threads(record: Record) -> int:
    return max((pool["threads"] for pool in record.machine.get("thread_pools", [])), default=0)


def _prediction(fit: str, was: Record, now: Record) -> TimedPair | None:
    before, after = (_ratio(r.cost.get("predict", {})) for r in (was, now))
    if before is None or after is None or was.cost["predict"] == now.cost["predict"]:
        return None
    return timed_pair(fit, "time of a prediction / bare", "", before, after)


def _ratio(cost: Mapping[str, Any]) -> Timing | None:
    if not {"ratio_to_bare", "repeats"} <= cost.keys():
        return None
    low, high = cost["ratio_quartiles"]
    return Timing(cost["ratio_to_bare"], low, high, cost["repeats"])


def _repeats_unsaid(record: Record) -> bool:
    predict = record.cost.get("predict", {})
    return "ratio_to_bare" in predict and "repeats" not in predict


def _fitting(fit: str, was: Record, now: Record) -> TimedPair | None:
    """Processor time of a method's fits; folds of one fit, timed against each other, are its repeats."""
    before, after = (np.array([f["cpu_s"] for f in r.cost.get("fit", [])]) for r in (was, now))
    if np.array_equal(before, after):
        return None
    # Folds of a process share its luck, so that their mean is no surer than one of them.
    error = float(np.std(np.log(after / before), ddof=1))
    return TimedPair(fit, "processor time of fits", "s", float(before.sum()), float(after.sum()), error)


def _too_short(was: Record, now: Record) -> bool:
    """Whether fits are too few, or take too little, for a time that means something."""
    before, after = ([f["cpu_s"] for f in r.cost.get("fit", [])] for r in (was, now))
    return (
        len(before) != len(after)
        or len(before) < LEAST_REPEATS
        or max(sum(before), sum(after)) < LEAST_FIT_SECONDS
        or not all(seconds > 0 for seconds in (*before, *after))
    )


def _left_out(pairs: Mapping[str, Pair], fits: Mapping[str, Pair]) -> list[str]:
    """How many times are not there, or are too short, in one line."""
    short = sum(_too_short(*pair) for pair in fits.values())
    untimed = sum(any(not r.cost.get("predict") for r in pair) for pair in pairs.values())
    said = [
        f"{n} of {total} {what}"
        for n, total, what in (
            (
                short,
                len(fits),
                f"of fitting (under {LEAST_FIT_SECONDS:g} s, or fewer than {LEAST_REPEATS} folds)",
            ),
            (untimed, len(pairs), "of predictions (a record has none)"),
        )
        if n
    ]
    return [f"times not compared: {', '.join(said)}"] if said else []


def _memory(fit: str, was: Record, now: Record) -> list[Finding]:
    """Growth of the process over what it began with, and the peak on a device."""
    device = [r.cost.get("peak_device_bytes") or 0 for r in (was, now)]
    return [
        *memory_findings(fit, "memory of the process at its peak", _grown(was), _grown(now)),
        *memory_findings(fit, "memory of the device at its peak", *device),
    ]


def _grown(record: Record) -> float:
    return (record.cost.get("peak_resident_bytes") or 0) - (record.cost.get("resident_bytes_before") or 0)


def _bare_note(pairs: Mapping[str, Pair]) -> list[str]:
    """How the machine itself, or the backbone, changed its pace: said, for no ratio to it shows that."""
    changes = [
        now.cost["predict"]["bare_us_per_atom"] / was.cost["predict"]["bare_us_per_atom"]
        for was, now in pairs.values()
        if was.cost.get("predict") and now.cost.get("predict")
    ]
    pace = math.log(float(np.median(changes))) if changes else 0.0
    if abs(pace) <= SLOWDOWN:
        return []
    return [
        f"the bare prediction takes {factor(pace)} the time (median of {len(changes)} fits): another pace of the "
        "machine, or of a backbone, whose own benchmarks tell"
    ]
