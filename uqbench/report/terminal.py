"""The main table, short enough for a terminal, from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from uqbench.api import KINDS
from uqbench.report.markdown import NONE, number, short_percent
from uqbench.report.narrow import on_lines
from uqbench.report.property_terminal import property_tables
from uqbench.report.ranking import BASELINE
from uqbench.report.sections import Section, make_sections
from uqbench.suite.record import Record, ScorePart

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_KINDS = ("forces", "energy")
CAPTION_WIDTH = 66
NAME_WIDTH = 32
"""Characters that 80 columns leave for the name of a method."""


def summary_tables(records: Sequence[Record]) -> list[Table]:
    """One table of the test part a section and kind (forces and energies, or what else there is), best first.

    The interval score is relative to calibrated `constant`, or absolute where that was not scored. Rows are not
    tested for ties: the leaderboard does that. Simulation results have tables of their own kind.
    """
    scored = [r for r in records if r.status == "ok"]
    tables = []
    for section in make_sections(scored, []):
        present = {k for r in section.records for k in r.scores.get("raw", {}).get("test", {})}
        kinds = (
            [k for k in SHOWN_KINDS if k in present] or [k for k in KINDS if k in present] or sorted(present)
        )
        tables += [_table(section, kind) for kind in kinds]
    return tables + property_tables(make_sections(records, []))


def _table(section: Section, kind: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    scores = {
        (r.cell.method, variant): (r, parts["test"][kind])
        for r in section.records
        for variant, parts in r.scores.items()
        if kind in parts.get("test", {})
    }
    bottom = scores.get((BASELINE, "calibrated"), (None, {}))[1].get("interval_score_95")
    unit = bottom.value if bottom else 1.0
    order = sorted(
        scores, key=lambda name: (_value(scores[name][1], "interval_score_95", float("inf")), name)
    )
    title = Text(f"{kind} ({section.title})")
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        min_width=CAPTION_WIDTH,
    )
    table.add_column("method", overflow="fold")
    table.add_column("", no_wrap=True)
    for name in ("score", "coverage (%)", "width", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in order:
        record, own = scores[name]
        score = own.get("interval_score_95")
        cost = record.cost.get("predict", {}).get("ratio_to_bare")
        busy = "†" if record.cost.get("contended") and cost is not None else ""
        table.add_row(
            Text(on_lines(record.cell.method, NAME_WIDTH)),
            "cal." if name[1] == "calibrated" else name[1],
            number(score.value / unit) if score else NONE,
            short_percent(own.get("coverage_95")),
            number(own["width_95"].value if "width_95" in own else None),
            f"{number(cost)}{busy}",
        )
    lacking = not all("interval_score_95" in own for _, own in scores.values())
    relative = " / that of calibrated constant" if bottom else ""
    table.caption = Text(
        f"score: interval score at 95 %{relative};\n"
        "coverage and width / RMSE: of the 95 % interval;\n"
        "cost: of a prediction / bare potential (†: the machine was busy)"
        + (f"\n{NONE}: not to be had, mostly of too few structures; see the records" if lacking else "")
    )
    return table


def _value(scores: dict[str, ScorePart], name: str, default: float) -> float:
    return scores[name].value if name in scores else default
