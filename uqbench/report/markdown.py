"""Markdown as it is written here: escaped text, numbers of three significant digits, tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uqbench.scores.bootstrap import Score
from uqbench.suite.record import ScorePart

NONE = "–"
NO_BREAK = "\u00a0"
"""A space at which no line breaks."""
_ESCAPED = {c: f"&#{ord(c)};" for c in "&<>|`*[]\\~$"}


def escape(text: str) -> str:
    """Text that came from a plugin, a card or a file, as plain text on one line of a table.

    >>> escape("<b>|x")
    '&#60;b&#62;&#124;x'
    """
    return "".join(_ESCAPED.get(c, c) for c in " ".join(text.split()))


def number(value: float | None) -> str:
    """Three significant digits, without an exponent where that stays short.

    >>> number(0.0012345), number(1234.5), number(2.0e-7), number(None)
    ('0.00123', '1234', '2.00e-07', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0.0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if not -4 <= exponent < 6:
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - exponent)}f}"


def percent(value: float | None) -> str:
    """A share as a percentage without the sign, one decimal.

    >>> percent(0.9512)
    '95.1'
    """
    return NONE if value is None else f"{100.0 * value:.1f}"


def with_interval(score: Score | ScorePart | None, form=number) -> str:
    """A value and its interval, if it has one.

    >>> with_interval(Score(0.5, 0.4, 0.6))
    '0.500 [0.400, 0.600]'
    """
    if score is None:
        return NONE
    if score.low is None or score.high is None:
        return form(score.value)
    return f"{form(score.value)} [{form(score.low)}, {form(score.high)}]"


def short_percent(score: Score | ScorePart | None) -> str:
    """A share as a percentage with its interval in whole ones, for narrow tables.

    >>> short_percent(Score(0.95, 0.912, 0.988))
    '95.0 (91–99)'
    """
    if score is None or score.low is None or score.high is None:
        return percent(score.value if score else None)
    return f"{percent(score.value)} ({100 * score.low:.0f}–{100 * score.high:.0f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A table; the first text_columns are aligned left, numbers right. Cells are markdown already."""
    rule = [":---"] * text_columns + ["---:"] * (len(header) - text_columns)
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def details(summary: str, body: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>\n"
