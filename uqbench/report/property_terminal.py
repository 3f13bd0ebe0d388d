"""Simulation results for the terminal: a compact table a material, or one of a panel of many."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING

from uqbench.report.markdown import short_percent
from uqbench.report.narrow import on_lines
from uqbench.report.property_numbers import MARKS, decimals, fixed, plain_name, reference_text, span
from uqbench.report.property_panel import Materials, make_panels
from uqbench.report.property_panel_tables import answers
from uqbench.report.property_results import (
    VARIANT_NAMES,
    VARIANTS,
    Result,
    by_property,
    chosen,
    has_properties,
    methods_of,
    section_results,
    trainings,
)
from uqbench.report.sections import Section

if TYPE_CHECKING:
    from rich.table import Table

NAME_WIDTH = 22
"""Characters that 80 columns leave for the name of a method beside two pairs of bounds."""
_MARKS = {**MARKS, "no answer": "", "not scored": ""}


def property_tables(sections: Sequence[Section]) -> list[Table]:
    """One table a section of a property task and what it was trained on; of many materials their panel alone."""
    panels = [panel for panel in make_panels(sections) if panel.replaces_sections]
    summarised = {section.slug for panel in panels for section in panel.sections}
    tables = [_panel_table(panel) for panel in panels]
    for section in sections:
        if has_properties(section) and section.slug not in summarised:
            tables += [
                _table(f"{section.title} · {name}" if name != "pool" else section.title, results)
                for name in trainings(section)
                if (results := section_results(section, name))
            ]
    return tables


def _table(title: str, results: Sequence[Result]) -> Table:
    from rich.text import Text

    table = _empty(title)
    table.add_column("property: reference, methods", overflow="fold")
    for bounds in ("raw: value [low, high]", "κ: [low, high]"):
        table.add_column(Text(bounds), justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
    for name, own in by_property(results):
        digits = decimals(own)
        like = own[0].like
        _add(table, [f"{plain_name(name)} ({like.unit}): {reference_text(like, digits)}"])
        for method in methods_of(own):
            raw, scaled = (chosen(own, method, variant)[0] for variant in VARIANTS)
            value = f"{fixed(raw.part.value, digits)} " if raw.part and raw.answered else ""
            _add(
                table,
                [
                    indent(on_lines(method, NAME_WIDTH), "  "),
                    f"{value}{_bounds(raw, digits)}",
                    _MARKS[raw.verdict(raw.stated)],
                    _bounds(scaled, digits),
                    _MARKS[scaled.verdict(scaled.stated)],
                ],
            )
    return _captioned(table, "✓, ✗: the reference is inside, outside the stated bounds")


def _bounds(result: Result, digits: int) -> str:
    return span(result.stated, digits) if result.answered else "no answer"


def _panel_table(panel: Materials) -> Table:
    table = _empty(f"{panel.title}: {len(panel.names)} materials")
    table.add_column("method", overflow="fold")
    table.add_column("", no_wrap=True)
    for name in ("answers", "stated (%)", "at 95 % (%)", "of all (%)"):
        table.add_column(name, justify="right", no_wrap=True)
    for standing in panel.standings:
        scores = standing.table.scores
        cells = [
            on_lines(standing.method, NAME_WIDTH),
            VARIANT_NAMES[standing.variant],
            answers(standing).replace(" of ", "/"),
        ]
        cells += [short_percent(scores.get(f"coverage_{n}")) for n in ("stated", "95", "95_of_all")]
        _add(table, cells)
    return _captioned(
        table,
        "stated: references inside the stated bounds, of the answers;\n"
        "of all: at 95 %, no answer taken for a miss; (…): bootstrap over materials",
    )


def _empty(title: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    return Table(
        title=Text(title), title_justify="left", caption_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )


def _add(table: Table, cells: Sequence[str]) -> None:
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def _captioned(table: Table, caption: str) -> Table:
    from rich.text import Text

    table.caption = Text(caption)
    return table
