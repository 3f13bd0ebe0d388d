"""What a comparison finds: tests of differences that have noise, and the verdict on each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.report.markdown import number
from uqbench.scores.comparison import holm

LEVEL = 0.01
"""Chance that noise alone makes a comparison find any difference: half of it for scores, half for times."""


@dataclass(frozen=True)
class Finding:
    """A difference that counts. where: cell or benchmark. size: in units of its tolerance, for the order."""

    where: str
    what: str
    worse: bool
    before: str
    after: str
    why: str
    size: float


@dataclass(frozen=True)
class Change:
    """A difference with its noise. change: positive is worse; ln(after / before) if relative, else a difference.

    before, after: in unit; a share where unit is "%". low, high: 99 % interval of the change. p_value: two-sided,
    of no change, before any adjustment.
    """

    where: str
    what: str
    unit: str
    before: float
    after: float
    change: float
    low: float
    high: float
    p_value: float
    tolerance: float
    relative: bool


@dataclass(frozen=True)
class Judged:
    """A test with its p-value after Holm's adjustment, and whether it counts."""

    test: Change
    adjusted: float
    counts: bool


def judge(tests: Sequence[Change], level: float) -> list[Judged]:
    """Which differences count: beyond the tolerance, and significant after Holm's adjustment over these tests.

    Holm, for the chance of any false alarm at all is what must stay below the level, whatever the tests share;
    Benjamini-Hochberg would bound only the share of alarms that are false.
    """
    adjusted = holm([t.p_value for t in tests]) if tests else []
    return [
        Judged(t, float(p), bool(p <= level and abs(t.change) > t.tolerance))
        for t, p in zip(tests, adjusted, strict=True)
    ]


def finding(judged: Judged) -> Finding:
    """The difference in words; of one that counts."""
    t = judged.test
    if t.relative:
        low, high = (math.exp(side) for side in (t.low, t.high))
        said = f"×{math.exp(t.change):.2f} (99 % interval ×{low:.2f} to ×{high:.2f})"
        limit = f"tolerance ×{math.exp(t.tolerance):.2f}"
    else:
        where_to = "further from" if t.change > 0.0 else "nearer to"
        low, high = sorted((100 * abs(t.low), 100 * abs(t.high)))
        said = (
            f"{100 * abs(t.change):.1f} points {where_to} the claim (99 % interval {low:.1f} to {high:.1f})"
        )
        limit = f"tolerance {100 * t.tolerance:g} points"
    return Finding(
        t.where,
        t.what,
        t.change > 0.0,
        shown(t.before, t.unit),
        shown(t.after, t.unit),
        f"{said}; {limit}; p = {judged.adjusted:.1g} after Holm",
        abs(t.change) / t.tolerance,
    )


def shown(value: float, unit: str) -> str:
    """A value with its unit; a share as a percentage.

    >>> shown(0.951, "%"), shown(0.1234, "eV"), shown(1.5, "")
    ('95.1 %', '0.123 eV', '1.50')
    """
    return f"{100 * value:.1f} %" if unit == "%" else f"{number(value)} {unit}".strip()
