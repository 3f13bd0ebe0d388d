"""The tables at the top of the page: a line a method, the columns that matter most; the others fold."""

from __future__ import annotations

from uqbench.report.evidence import Row
from uqbench.report.markdown import NONE, details, escape, number, percent, table
from uqbench.report.narrow import on_lines
from uqbench.report.overview import Column, Overview, holds, listed, stated_score
from uqbench.report.ranking import Standing, common_machine, cost_ratio, time_counts
from uqbench.report.tables import fit_seconds

READING = (
    "**Tightness**: interval score at 95 % of calibrated error bars, over that of one error bar for all (calibrated "
    "`constant`); lower is better, below 1 knows where the potential errs; bold: tied for the first place. **Hold "
    "(claim)**: share of test values inside the bounds that the method states, and the share that it claims (100: an "
    "envelope); bold: the claim is reached, within the 95 % bootstrap interval. **Simulations inside**: references of "
    "simulation results inside stated bounds, posterior as it is or scaled by κ. **Cost**: time of a prediction "
    "over the bare potential's (†: not ranked, for the machine was busy or another one), and of the fits.\n"
)
NAME_WIDTH = 26
"""Characters of a method's name on one line."""
NO_BREAK = "\u00a0"
FIRST_KINDS = 2
"""Kinds of the main table; the others fold."""


def main_table(overview: Overview) -> str:
    """The first kinds, simulation results and cost."""
    tests = overview.leading[:FIRST_KINDS]
    header = ["method", *(f"{escape(kind)}: tightness" for kind, _ in tests)]
    header += [f"{escape(kind)}: hold (claim) %" for kind, _ in tests]
    header += ["simulations inside: raw / κ"] if overview.hits else []
    header += ["cost / bare; fit"]
    first = next(iter(overview.standings.values()))
    machine = common_machine([s.row for s in first.values()])
    lines = []
    for name in overview.methods:
        line = [_folded_name(name), *(_tight(overview.standings[c].get((name, "calibrated"))) for c in tests)]
        line += [_stated(overview.standings[c].get((name, "raw"))) for c in tests]
        line += [_hits(overview, name)] if overview.hits else []
        raw = first.get((name, "raw"))
        line.append(_cost_text(raw.row, machine) if raw else NONE)
        lines.append(line)
    return table(header, lines)


def _hits(overview: Overview, method: str) -> str:
    """References inside the stated bounds, raw and with κ, of how many."""
    raw, scaled = (overview.hits.get((method, variant)) for variant in ("raw", "kappa"))
    if raw is None or scaled is None:
        return NONE
    return f"{raw[0]} / {scaled[0]} of {raw[1]}".replace(" ", NO_BREAK)


def _cost_text(row: Row, machine: str) -> str:
    """Of a prediction, with a dagger where times are not ranked; and of the fits."""
    cost, seconds = cost_ratio(row), fit_seconds(row.record)
    dagger = "" if cost is None or time_counts(row, machine) else f"{NO_BREAK}†"
    return f"{number(cost)}{dagger}; {number(seconds)} s".replace(" ", NO_BREAK)


def folded_table(overview: Overview) -> str:
    """The columns that the main table leaves out."""
    columns = [c for c in overview.rankings if c not in overview.leading[:FIRST_KINDS]]
    if not columns:
        return ""
    header = ["method", *(f"{_heading(c)}: tightness" for c in columns)]
    header += [f"{_heading(c)}: hold (claim) %" for c in columns]
    lines = [
        [_folded_name(name), *(_tight(overview.standings[c].get((name, "calibrated"))) for c in columns)]
        + [_stated(overview.standings[c].get((name, "raw"))) for c in columns]
        for name in overview.methods
    ]
    return details("The same of " + listed([_heading(c) for c in columns]), table(header, lines))


def _tight(standing: Standing | None) -> str:
    if standing is None or standing.relative is None:
        return NONE
    text = number(standing.relative.value)
    return f"**{text}**" if standing.rank == 1 else text


def _stated(standing: Standing | None) -> str:
    found = stated_score(standing)
    if found is None:
        return NONE
    text = percent(found[0].value)
    return f"{f'**{text}**' if holds(standing) else text}{NO_BREAK}({100 * found[1]:g})"


def _heading(column: Column) -> str:
    kind, part = column
    return escape(kind) if part == "test" else f"held-out {escape(kind)}"


def _folded_name(name: str) -> str:
    """On several lines where it is long, so that the table is narrow."""
    return "<br>".join(map(escape, on_lines(name, NAME_WIDTH).splitlines()))
