"""What a comparison finds: tests of differences that have noise, and the verdict on each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from uqbench.report.markdown import number, percent
from uqbench.scores.comparison import holm

LEVEL = 0.01
"""Chance that noise alone makes a comparison find any difference: half of it for scores, half for times."""
LARGEST = 700.0
"""Of ln(ratio), that a float can hold."""


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
    """A difference with its noise. change: positive is worse; ln(after / before), or the coverage lost.

    before, after: in unit; a share where unit is "%". low, high: 99 % interval of the change. p_value: two-sided,
    of no change, before any adjustment. claim: of coverage alone, the probability that the bounds claim. pace: of
    times alone, the factor by which all changed, which the change leaves out.
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
    claim: float | None = None
    pace: float = 1.0

    @property
    def counted(self) -> float:
        """What is held against the tolerance: the change, of coverage only what it adds to the lack of it."""
        if self.claim is None:
            return self.change
        return max(0.0, self.claim - self.after) - max(0.0, self.claim - self.before)


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
        Judged(t, float(p), bool(p <= level and abs(t.counted) > t.tolerance))
        for t, p in zip(tests, adjusted, strict=True)
    ]


def finding(judged: Judged) -> Finding:
    """The difference in words; of one that counts."""
    t = judged.test
    if t.claim is None:
        beside = (
            f"{factor(t.change + math.log(t.pace))}, all {factor(math.log(t.pace))}: "
            if t.pace != 1.0
            else ""
        )
        said = f"{beside}{factor(t.change)} (99 % interval {factor(t.low)} to {factor(t.high)})"
        limit = f"tolerance {factor(t.tolerance)}"
        shares = ""
    else:
        verb = "lost" if t.change > 0.0 else "gained"
        low, high = sorted(math.copysign(100.0, t.change) * side for side in (t.low, t.high))
        said = (
            f"{100 * abs(t.change):.1f} points of coverage {verb} (99 % interval {low:.1f} to {high:.1f}), "
            f"{100 * abs(t.counted):.1f} of them below the claim"
        )
        limit = f"tolerance {100 * t.tolerance:g} points"
        shares = f" of {percent(t.claim)} % claimed"
    return Finding(
        t.where,
        t.what,
        t.change > 0.0,
        shown(t.before, t.unit) + shares,
        shown(t.after, t.unit) + shares,
        f"{said}; {limit}; p = {judged.adjusted:.1g} after Holm",
        abs(t.counted) / t.tolerance,
    )


def factor(logarithm: float) -> str:
    """A ratio to three significant digits.

    >>> factor(math.log(1.2)), factor(math.log(1e9)), factor(1e5)
    ('×1.20', '×1.00e+09', '×∞')
    """
    return f"×{number(math.exp(logarithm))}" if logarithm < LARGEST else "×∞"


def shown(value: float, unit: str) -> str:
    """A value with its unit; a share as a percentage.

    >>> shown(0.951, "%"), shown(0.1234, "eV"), shown(1.5, "")
    ('95.1 %', '0.123 eV', '1.50')
    """
    return f"{100 * value:.1f} %" if unit == "%" else f"{number(value)} {unit}".strip()
