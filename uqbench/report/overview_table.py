"""The tables at the top of the page: a line a method, the columns that matter most; the others fold."""

from __future__ import annotations

from collections.abc import Sequence

from uqbench.report.evidence import Row
from uqbench.report.markdown import NO_BREAK, NONE, details, escape, number, percent, table
from uqbench.report.narrow import on_lines
from uqbench.report.overview import Column, Overview, holds, listed, stated_score
from uqbench.report.overview_simulations import READING as READING_SIMULATIONS
from uqbench.report.overview_simulations import inside_text
from uqbench.report.property_results import VARIANTS
from uqbench.report.ranking import common_machine, cost_ratio, time_counts
from uqbench.report.tables import fit_seconds
from uqbench.scores.bootstrap import LEAST_CLUSTERS

RELATIVE = (
    "**Tightness**: interval score at 95 % of calibrated error bars, over that of one error bar for all (calibrated "
    "`constant`); lower is better, below 1 knows where the potential errs; bold: tied for the first place."
)
ABSOLUTE = (
    "**Interval score**: width of the 95 % interval plus 40 times the distance by which a value falls outside, of "
    "error bars as the method gives them (raw) and calibrated; lower is better; bold: tied for the first place. It is "
    "absolute, for calibrated `constant` is not there to compare with."
)
HOLD = (
    "**Hold (claim)**: share of test values inside the bounds that the method states, and the share that it claims "
    "(100: an envelope); bold: the claim is reached, within the 95 % bootstrap interval."
)
COST = (
    "**Cost**: time of a prediction over the bare potential's (†: not ranked, for the machine was busy or another one)"
    ", and of the fits."
)
NAME_WIDTH = 26
"""Characters of a method's name on one line."""
FIRST_KINDS = 2
"""Kinds of the main table; the others fold."""


def reading(overviews: Sequence[Overview]) -> str:
    """What the columns mean of tables that the page has."""
    parts = [RELATIVE] if any(o.relative for o in overviews) else []
    parts += [ABSOLUTE] if not all(o.relative for o in overviews) else []
    parts.append(HOLD)
    if any(o.simulations for o in overviews):
        parts.append(f"**Simulations inside; width**: {READING_SIMULATIONS}")
    return " ".join([*parts, COST]) + "\n"


def main_table(overview: Overview) -> str:
    """The first kinds, simulation results and cost."""
    tests = overview.leading[:FIRST_KINDS]
    header = ["method", *_score_headers(overview, tests)]
    if overview.simulations:
        header += ["simulations inside; width: raw", "simulations inside; width: κ"]
    header += ["cost / bare; fit"]
    first = next(iter(overview.standings.values()))
    machine = common_machine([s.row for s in first.values()])
    lines = []
    for name in overview.methods:
        line = [_folded_name(name), *_scores(overview, name, tests)]
        if overview.simulations:
            line += [inside_text(overview.simulations.get((name, variant))) for variant in VARIANTS]
        raw = first.get((name, "raw"))
        line.append(_cost_text(raw.row, machine) if raw else NONE)
        lines.append(line)
    return table(header, lines) + _not_bold(overview, tests)


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
    header = ["method", *_score_headers(overview, columns)]
    lines = [[_folded_name(name), *_scores(overview, name, columns)] for name in overview.methods]
    folded = table(header, lines) + _not_bold(overview, columns)
    return details("The same of " + listed([_heading(c) for c in columns]), folded)


def _score_headers(overview: Overview, columns: Sequence[Column]) -> list[str]:
    header = []
    for column in columns:
        unit = escape(overview.rankings[column].standings[0].row.unit)
        score = "tightness" if overview.relative else f"interval score ({unit}), raw / calibrated"
        header.append(f"{_heading(column)}: {score}")
    return header + [f"{_heading(column)}: hold (claim) %" for column in columns]


def _scores(overview: Overview, name: str, columns: Sequence[Column]) -> list[str]:
    """Tightness in all columns, then what is held in all."""
    return [_tight(overview, name, c) for c in columns] + [_stated(overview, name, c) for c in columns]


def _tight(overview: Overview, name: str, column: Column) -> str:
    raw, calibrated = (
        number(overview.tightness(overview.standings[column].get((name, variant))))
        for variant in ("raw", "calibrated")
    )
    text = f"**{calibrated}**" if name in overview.leaders(column) else calibrated
    return text if overview.relative else f"{raw} / {text}".replace(" ", NO_BREAK)


def _stated(overview: Overview, name: str, column: Column) -> str:
    standing = overview.standings[column].get((name, "raw"))
    found = stated_score(standing)
    if found is None:
        return NONE
    text = percent(found[0].value)
    bold = holds(standing) and not overview.few(column)
    return f"{f'**{text}**' if bold else text}{NO_BREAK}({100 * found[1]:.3g})"


def _not_bold(overview: Overview, columns: Sequence[Column]) -> str:
    """Why columns have nothing that is bold, a line a reason."""
    remarks = []
    if few := [c for c in columns if overview.few(c)]:
        remarks.append(
            f"On {_samples(overview, few)} there are no intervals, for fewer than {LEAST_CLUSTERS} clusters say too "
            "little: nothing is bold and nothing summed up."
        )
    if untold := [c for c in columns if overview.untold(c)]:
        remarks.append(
            f"On {_samples(overview, untold)} the first cannot be told from one error bar for all, so that no "
            "tightness is bold."
        )
    return "".join(f"\n{remark}\n" for remark in remarks)


def _samples(overview: Overview, columns: Sequence[Column]) -> str:
    return listed([f"{_heading(c)} ({overview.rankings[c].n_clusters} clusters)" for c in columns])


def _heading(column: Column) -> str:
    kind, part = column
    return escape(kind) if part == "test" else f"held-out {escape(kind)}"


def _folded_name(name: str) -> str:
    """On several lines where it is long, so that the table is narrow."""
    return "<br>".join(map(escape, on_lines(name, NAME_WIDTH).splitlines()))
