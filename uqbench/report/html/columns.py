"""Tables as the page takes them: columns, and rows of plain values that are small as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from uqbench.scores.bootstrap import Score
from uqbench.suite.record import CellPart, ScorePart

DIGITS = 7
"""Significant digits of numbers."""


@dataclass(frozen=True)
class Column:
    """kind: how cells are written and sorted. filtered: whether the page offers a choice of its values. about: a hint.

    text: a string. number, count (a whole one), share (shown in per cent): a number or null, or [value, low, high].
    fixed: [value, low, high, decimals], or null. hidden: for charts only, after all others.
    """

    label: str
    kind: Literal["text", "number", "count", "share", "fixed", "hidden"]
    filtered: bool = False
    about: str = ""


FIT_COLUMNS = (
    Column("backbone", "text", True),
    Column("train size", "text", True),
    Column("seed", "text", True),
    Column("device", "text", True),
)
"""What a method was fitted with; see fit_values."""


def fit_values(cell: CellPart) -> list[str]:
    """The values of FIT_COLUMNS."""
    return [cell.backbone, f"{cell.train_size:g}", str(cell.seed), cell.device]


@dataclass(frozen=True)
class PageTable:
    """name: unique in the page. rows: of as many cells as there are columns."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: list[list[Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values; a text is the index of a word, for most are repeated."""
        words: dict[str, int] = {}
        text = {i for i, column in enumerate(self.columns) if column.kind == "text"}
        rows = [
            [words.setdefault(cell, len(words)) if i in text else cell for i, cell in enumerate(row)]
            for row in self.rows
        ]
        return {
            "name": self.name,
            "caption": self.caption,
            "columns": [asdict(column) for column in self.columns],
            "words": list(words),
            "rows": rows,
        }


def rounded(value: float | None) -> float | None:
    """To seven significant digits, of which the page shows three; None for what is not finite.

    >>> rounded(0.123456), rounded(float("nan"))
    (0.123456, None)
    """
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def scored(score: Score | ScorePart | None) -> float | list[float | None] | None:
    """A value, with its interval where it has one."""
    if score is None:
        return None
    if score.low is None or score.high is None:
        return rounded(score.value)
    return [rounded(score.value), rounded(score.low), rounded(score.high)]
