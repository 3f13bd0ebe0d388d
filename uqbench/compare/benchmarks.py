"""Two JSON files of pytest-benchmark: medians of rounds, and memory where a benchmark puts it in extra_info."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uqbench.compare.findings import Change, Finding, Judged, factor
from uqbench.compare.memory import memory_findings
from uqbench.compare.timing import (
    LEAST_REPEATS,
    SLOWDOWN,
    TimedPair,
    Timing,
    timed_pair,
    timing_tests,
)
from uqbench.errors import UqbenchError

LEAST_PACE = 5
"""From so many benchmarks on, what most of them changed by is taken for the pace of the machine."""
PACED_PROCESS, ALONE_PROCESS = 0.06, 0.15
"""Least standard deviation of ln(seconds) between processes: with LEAST_PACE or more benchmarks, whose common pace
is taken out, and with fewer. On a busy machine of two cores six runs scattered by 0.3, nearly all of it in common."""
PEAK = "peak_mb"
"""The entry of extra_info that is memory, in MB."""


@dataclass(frozen=True)
class Benchmarks:
    """A file of pytest-benchmark. machine: its class. by_name: each benchmark by the full name of its test."""

    machine: str
    by_name: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Timed:
    """What two files give: tests of times, findings of memory, what was not compared and why.

    pace: why times as a whole cannot be told from the machine's pace; empty if they can.
    """

    tests: list[Change]
    findings: list[Finding]
    notes: list[str]
    pace: str


def read_benchmarks(path: Path) -> Benchmarks:
    """Read a file of pytest-benchmark; raises UqbenchError naming the file and the field."""
    try:
        content = json.loads(path.read_bytes())
        cpu = content["machine_info"]["cpu"]
        machine = f"{cpu.get('brand_raw', 'unknown processor')}, {cpu.get('count', '?')} cores"
        by_name = {b["fullname"]: b for b in content["benchmarks"]}
        for b in by_name.values():
            for field in ("median", "q1", "q3", "rounds"):
                _positive(b, field)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UqbenchError(
            f"{path} is no JSON of pytest-benchmark ({type(error).__name__}: {error}); write one with "
            "pytest --benchmark-json=FILE."
        ) from None
    if not by_name:
        raise UqbenchError(f"{path} holds no benchmarks; none ran.")
    return Benchmarks(machine, by_name)


def compare_benchmarks(base: Benchmarks, new: Benchmarks) -> Timed:
    """Times and memory of the benchmarks that both files have.

    Raises UqbenchError for files of two machines: seconds do not carry over.
    """
    if base.machine != new.machine:
        raise UqbenchError(
            f"benchmarks are of other machines ({base.machine} before, {new.machine} now), and seconds do not carry "
            "over. Run both on one."
        )
    both = [name for name in base.by_name if name in new.by_name]
    pairs: list[TimedPair] = []
    findings: list[Finding] = []
    short = 0
    for name in both:
        was, now = base.by_name[name], new.by_name[name]
        before, after = _timing(was), _timing(now)
        if min(before.repeats, after.repeats) < LEAST_REPEATS:
            short += 1
        else:
            pairs.append(timed_pair(name, "median time", "s", before, after))
        findings += _memory(name, was.get("extra_info", {}), now.get("extra_info", {}))
    pace = _pace(pairs)
    process = PACED_PROCESS if len(pairs) >= LEAST_PACE else ALONE_PROCESS
    notes = [f"{short} benchmarks have fewer than {LEAST_REPEATS} rounds, too few to time"] if short else []
    why = ""
    if abs(math.log(pace)) > SLOWDOWN:
        why = (
            f"most take {factor(math.log(pace))} the time (median of {len(pairs)}): another pace of the machine, or "
            "a change of most of the code; nothing tells which. Time both revisions in one job, in turns."
        )
    return Timed(timing_tests(pairs, process, pace), findings, notes, why)


def sure_at_any_pace(judged: Judged) -> bool:
    """Whether a time grew beyond the tolerance beside the others, and by the clock too: no pace explains it."""
    t = judged.test
    return t.change > 0.0 and math.log(t.after / t.before) > t.tolerance


def _pace(pairs: Sequence[TimedPair]) -> float:
    """The factor by which most benchmarks changed; 1 where there are too few to tell."""
    if len(pairs) < LEAST_PACE:
        return 1.0
    return math.exp(float(np.median([math.log(p.after / p.before) for p in pairs])))


def _timing(benchmark: Mapping[str, Any]) -> Timing:
    stats = benchmark["stats"]
    return Timing(stats["median"], stats["q1"], stats["q3"], stats["rounds"])


def _positive(benchmark: Mapping[str, Any], field: str) -> None:
    value = benchmark["stats"][field]
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
        raise ValueError(f"{benchmark['fullname']}: {field} is {value!r}")


def _memory(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Finding]:
    before, after = was.get(PEAK), now.get(PEAK)
    if not isinstance(before, (int, float)) or not isinstance(after, (int, float)):
        return []
    return memory_findings(name, "memory at its peak", 1e6 * before, 1e6 * after)
