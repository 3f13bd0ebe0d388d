"""Numbers of simulation results: as many decimals as their bounds tell apart, the same for all of one property."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uqbench.report.markdown import NONE
from uqbench.report.property_results import Result, Verdict
from uqbench.suite.record import PropertyPart, Range

LEAST_DIGITS, MOST_DIGITS = 3, 6
"""Significant digits of the largest value."""
MARKS: dict[Verdict, str] = {
    "inside": "✓",
    "outside": "✗",
    "no answer": "no answer",
    "not scored": "not scored",
}


def decimals(results: Sequence[Result]) -> int:
    """Decimals of one property: two digits of the narrowest half-width, three to six of the largest value.

    A half-width of 6.8 gives one decimal, of 0.066 three.
    """
    bounds = [b for r in results for b in (r.stated, r.at_95) if b is not None]
    widths = [high - low for low, high in bounds if high > low and math.isfinite(high - low)]
    values = [abs(v) for r in results for v in (r.part.value if r.part else None, r.like.reference) if v]
    if not values:
        return LEAST_DIGITS
    size = math.floor(math.log10(max(values)))
    needed = 1 - math.floor(math.log10(0.5 * min(widths))) if widths else 0
    return max(0, min(max(needed, LEAST_DIGITS - 1 - size), MOST_DIGITS - 1 - size))


def fixed(value: float | None, digits: int) -> str:
    """A number with so many decimals.

    >>> fixed(0.8046, 3), fixed(None, 3)
    ('0.805', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if abs(value) >= 1e7:
        return f"{value:.2e}"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def span(bounds: Range | None, digits: int) -> str:
    """Bounds in brackets.

    >>> span((0.6296, 1.0619), 3)
    '[0.630, 1.062]'
    """
    return NONE if bounds is None else f"[{fixed(bounds[0], digits)}, {fixed(bounds[1], digits)}]"


def reference_text(part: PropertyPart, digits: int) -> str:
    """The reference with its own error to one digit; ‡ where the card does not say how it was computed."""
    if part.reference is None:
        return NONE
    error = "?" if part.reference_error is None else _one_digit(part.reference_error)
    return f"{fixed(part.reference, digits)} ± {error}{'' if part.protocol_known else ' ‡'}"


def _one_digit(value: float) -> str:
    if not 1e-7 <= value < 1e7:
        return f"{value:.0e}" if value else "0"
    return f"{value:.{max(0, -math.floor(math.log10(value)))}f}"


def plain_name(name: str) -> str:
    """A property's name as words."""
    return name.replace("_", " ")


def claim(nominal: float | None) -> str:
    """What stated bounds are to hold.

    >>> claim(1.0), claim(0.95), claim(199 / 201)
    ('all (envelope)', '95 %', '99 %')
    """
    if nominal is None:
        return NONE
    return "all (envelope)" if nominal == 1.0 else f"{100.0 * nominal:.3g} %"
