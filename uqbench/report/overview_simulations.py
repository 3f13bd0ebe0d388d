"""Simulation results in a few words: how many references lie inside stated bounds, and how wide these are.

Wide bounds hold everything, so that neither stands without the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from uqbench.report.markdown import NO_BREAK, NONE, number
from uqbench.report.property_results import VARIANTS, Result, Variant, chosen, methods_of

READING = (
    "references inside the stated bounds, of how many (with how many have an answer, where not all have), and the "
    "median width of these bounds over the reference, of the answers; posterior as it is (raw) or scaled by κ."
)
"""What a cell says, for legends."""


@dataclass(frozen=True)
class Tally:
    """Results of one method and posterior that have a reference.

    inside, answered, n: references inside the stated bounds, those with an answer, and all. width: median width of
    the stated bounds over |reference|, of the answers; None where there is none.
    """

    inside: int
    answered: int
    n: int
    width: float | None


def tallies(results: Sequence[Result]) -> dict[tuple[str, Variant], Tally]:
    """By method and posterior; results without a reference count nowhere."""
    scored = [r for r in results if r.like.reference is not None]
    return {
        (method, variant): _tally(chosen(scored, method, variant))
        for method in methods_of(scored)
        for variant in VARIANTS
    }


def _tally(results: Sequence[Result]) -> Tally:
    inside = sum(r.verdict(r.stated) == "inside" for r in results)
    widths = [
        (r.stated[1] - r.stated[0]) / abs(r.like.reference) if r.like.reference else math.inf
        for r in results
        if r.answered and r.stated is not None
    ]
    return Tally(inside, len(widths), len(results), median(widths) if widths else None)


def inside_text(tally: Tally | None) -> str:
    """A cell of a table.

    >>> inside_text(Tally(12, 13, 13, 0.184)).replace(NO_BREAK, " ")
    '12 of 13; 18.4 %'
    >>> inside_text(Tally(4, 5, 13, 0.184)).replace(NO_BREAK, " ")
    '4 of 13 (5 answered); 18.4 %'
    >>> inside_text(Tally(0, 0, 13, None))
    'no answer'
    """
    if tally is None:
        return NONE
    if tally.width is None:
        return "no answer"
    hits = f"{tally.inside} of {tally.n}".replace(" ", NO_BREAK)
    answers = "" if tally.answered == tally.n else f" ({tally.answered}{NO_BREAK}answered)"
    return f"{hits}{answers}; {number(100.0 * tally.width)}{NO_BREAK}%"


def most_inside(found: Mapping[str, Tally]) -> str:
    """The narrowest of those with most references inside, of at least one; by their names, which are markdown already.

    >>> most_inside({"a": Tally(9, 9, 9, 0.5), "b": Tally(9, 9, 9, 0.3), "c": Tally(8, 9, 9, 0.1)})
    'most references inside the stated bounds, 9 of 9; narrowest of those that hold most: b, median width 30.0 %'
    """
    most, n = max(t.inside for t in found.values()), max(t.n for t in found.values())
    widths = {name: t.width for name, t in found.items() if t.inside == most and t.width is not None}
    if most == 0:
        return f"no reference of {n} lies inside stated bounds"
    least = min(widths.values())
    names = ", ".join(sorted(name for name, width in widths.items() if width == least))
    return (
        f"most references inside the stated bounds, {most} of {n}; narrowest of those that hold most: {names}, "
        f"median width {number(100.0 * least)} %"
    )
