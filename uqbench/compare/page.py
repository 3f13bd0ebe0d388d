"""A comparison as markdown: what got worse first, short, with a line on why each counts; and as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from uqbench.compare.accuracy import COVERAGE_TOLERANCE, TOLERANCE
from uqbench.compare.comparison import Comparison
from uqbench.compare.findings import LEVEL, Finding
from uqbench.compare.timing import SLOWDOWN
from uqbench.report.markdown import escape, table

ROWS = 20
"""Most lines of a section; the JSON has all."""
LISTED = 5
"""Most cells listed of those that one side alone has."""
LONGEST = 240
"""Most characters of a reason, whose whole text stands in the record."""
LONGEST_REMEDY = 600
"""Most characters of what could not be compared, with what to do about it at the end."""
PING = re.compile(r"(?<!\w)@(?=\w)")
"""What calls a person in a comment."""


def markdown(found: Comparison, base: str, new: str) -> str:
    """The page. base, new: what the two sides are called."""
    parts = [f"## uqbench: {_verdict(found)}\n", f"{safe(base)} → {safe(new)}: {_counts(found)}\n"]
    parts += _section("Worse", found.worse)
    parts += _reasons("Accepted by this change to the baseline", found.accepted)
    parts += _section("Better", found.better)
    untold = [f"{who}: {why}" for who, why in found.incomparable]
    parts += _reasons("Could not be compared", untold, longest=LONGEST_REMEDY)
    parts += _reasons("New", found.new, LISTED)
    parts += _reasons("Gone", found.gone, LISTED)
    parts += _reasons("Still without a result, for another reason", found.otherwise)
    parts += _reasons("Notes", found.notes)
    parts.append(_rule())
    return "\n".join(parts)


def as_json(found: Comparison, base: str, new: str) -> dict[str, Any]:
    """All of a comparison as plain values; an infinite size (a result that is gone) is null."""
    return {
        "format": "uqbench compare 1",
        "base": base,
        "new": new,
        "exit_code": found.exit_code,
        "verdict": _verdict(found),
        "level": LEVEL,
        "findings": [
            {**asdict(f), "size": f.size if math.isfinite(f.size) else None} for f in found.findings
        ],
        "tests": [{**asdict(j.test), "p_adjusted": j.adjusted, "counts": j.counts} for j in found.judged],
        "matched": found.matched,
        "equal": list(found.equal),
        "new_cells": list(found.new),
        "gone_cells": list(found.gone),
        "without_result": list(found.unanswered),
        "without_result_otherwise": list(found.otherwise),
        "accepted": list(found.accepted),
        "incomparable": [{"what": who, "reason": why} for who, why in found.incomparable],
        "notes": list(found.notes),
    }


def safe(text: str) -> str:
    """Text of others as plain text that calls nobody: a space of no width follows an @ that begins a word.

    >>> safe("@you: copper.xyz@934ad1a1")
    '@\u200byou: copper.xyz@934ad1a1'
    """
    return PING.sub("@\u200b", escape(text))


def _verdict(found: Comparison) -> str:
    said = [_headline(found)]
    if found.accepted:
        said.append(f"{len(found.accepted)} accepted by this change")
    if found.gone:
        said.append(f"{_plural(len(found.gone), 'cell')} gone")
    return "; ".join(said)


def _headline(found: Comparison) -> str:
    if found.worse:
        return _plural(len(found.worse), "regression")
    if found.exit_code != 2:
        return "no regression"
    return "no regression found, but not all could be compared" if found.matched else "could not be compared"


def _counts(found: Comparison) -> str:
    said = [f"{_plural(found.matched, 'cell')} on both sides"]
    if found.equal:
        said.append(f"{len(found.equal)} with the same predictions to the last bit")
    if found.unanswered:
        said.append(f"{len(found.unanswered)} without a result on either")
    if found.judged:
        within = sum(not j.counts for j in found.judged)
        said.append(
            f"{within} of {_plural(len(found.judged), 'difference')} tested within noise and tolerance"
        )
    return ", ".join(said) + "."


def _section(title: str, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    rows = [
        [safe(f.where), safe(f.what), safe(f.before), safe(f.after), safe(_short(f.why))]
        for f in findings[:ROWS]
    ]
    page = table(["cell", "what", "before", "now", "why it counts"], rows, text_columns=5)
    return [f"### {title}\n", page, *_rest(len(findings) - ROWS)]


def _reasons(title: str, lines: Sequence[str], most: int = ROWS, longest: int = LONGEST) -> list[str]:
    if not lines:
        return []
    listed = "\n".join(f"- {safe(_short(line, longest))}" for line in lines[:most])
    return [f"### {title} ({len(lines)})\n", f"{listed}\n", *_rest(len(lines) - most)]


def _rest(left: int) -> list[str]:
    return [f"… and {left} more, all in the JSON (`--json FILE`).\n"] if left > 0 else []


def _short(text: str, longest: int = LONGEST) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def _rule() -> str:
    return (
        f"A score counts as changed beyond both its tolerance (width and interval score "
        f"{100 * math.expm1(TOLERANCE):.0f} %, coverage {100 * COVERAGE_TOLERANCE:g} points) and a paired cluster "
        f"bootstrap on the same structures; a time beyond {100 * math.expm1(SLOWDOWN):.0f} % and the noise of its "
        f"repeats. Holm over all these tests: the chance that noise makes any of them count is {100 * LEVEL:g} %. "
        "Memory and simulation results have tolerances and no test, and are not in that.\n"
    )


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
