"""The tables of simulation results: of each material beside its reference, and over many materials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from uqbench.report.html.columns import FIT_COLUMNS, Column, PageTable, fit_values, rounded, scored
from uqbench.report.property_numbers import decimals, plain_name
from uqbench.report.property_panel import Materials, Standing
from uqbench.report.property_results import (
    VARIANT_NAMES,
    Result,
    by_property,
    has_properties,
    section_results,
    trainings,
)
from uqbench.report.sections import Section

REACH = 3.0
"""Bars are cut this many median half-widths from the values, so that one wild method does not hide the others."""

_RESULT_COLUMNS = (
    Column("method", "text", True),
    Column("scored", "text", True, "raw: the posterior as it is; κ: its spread scaled by one factor"),
    Column("property", "text", True),
    Column("dataset", "text", True),
    Column("value", "fixed", about="with the stated bounds, or the 95 % interval"),
    Column("reference", "fixed", about="of the material, with its own error"),
    Column("reference is", "text", True, "inside or outside the bounds; no answer: too few samples have it"),
    Column("error / width", "number", about="|value − reference| over the width of the bounds"),
    Column("claimed (%)", "share", about="what stated bounds are to hold; 100: an envelope"),
    Column("task", "text", True),
    Column("trained on", "text", True, "the whole pool, or without a group of it (extrapolation)"),
    *FIT_COLUMNS,
    Column("comparison", "hidden"),
)

_PANEL_COLUMNS = (
    Column("method", "text", True),
    Column("scored", "text", True, "raw: the posterior as it is; κ: its spread scaled by one factor"),
    Column("property", "text", True),
    Column("stated bounds (%)", "share", about="share of answers whose reference is inside"),
    Column("claimed (%)", "share", about="what stated bounds are to hold; 100: an envelope"),
    Column("coverage 95 % (%)", "share", about="share of answers inside the 95 % interval"),
    Column("width / reference", "number", about="median width of the 95 % interval over |reference|"),
    Column("error / width", "number", about="median |error| over the width of the stated bounds"),
    Column("answers", "count"),
    Column("materials", "count"),
    Column("panel", "text", True),
)


@dataclass(frozen=True)
class Bars:
    """What the bars of one property of one material share.

    digits: decimals of all its values. low, high: ends of the axis.
    """

    title: str
    unit: str
    digits: int
    reference: float | None
    error: float | None
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def property_table(sections: Sequence[Section]) -> tuple[PageTable, list[Bars]]:
    """A row for each result, in the order of the sections; and, by a row's comparison, what its bars share."""
    table = PageTable("properties", "Simulation results beside their references", _RESULT_COLUMNS)
    bars: list[Bars] = []
    for section in filter(has_properties, sections):
        for training in trainings(section):
            for name, results in by_property(section_results(section, training)):
                bars.append(_bars(section, training, name, results))
                digits = bars[-1].digits
                table.rows.extend(_row(result, training, digits, len(bars) - 1) for result in results)
    return table, bars


def panel_table(panels: Sequence[Materials]) -> PageTable:
    """A row for each method and posterior over all properties of a panel, then over each one."""
    table = PageTable("panels", "Simulation results over many materials", _PANEL_COLUMNS)
    for panel in panels:
        table.rows.extend(_panel_row(panel, "all", standing) for standing in panel.standings)
        for name in panel.properties:
            table.rows.extend(_panel_row(panel, plain_name(name), s) for s in panel.standings_of[name])
    return table


def _row(result: Result, training: str, digits: int, comparison: int) -> list[Any]:
    part, cell, like = result.part, result.record.cell, result.like
    value = part.value if part else None
    bounds = result.stated or (None, None)
    error, ends = like.reference_error, (None, None)
    if like.reference is not None and error is not None:
        ends = (like.reference - error, like.reference + error)
    return [
        result.method,
        VARIANT_NAMES[result.variant],
        f"{plain_name(like.name)} ({like.unit})",
        cell.dataset,
        _fixed(value, bounds, digits),
        _fixed(like.reference, ends, digits),
        result.verdict(result.stated),
        rounded(result.error_over_width),
        part.nominal if part else None,
        cell.task,
        training,
        *fit_values(cell),
        comparison,
    ]


def _fixed(
    value: float | None, ends: tuple[float | None, float | None], digits: int
) -> list[float | None] | None:
    """With one decimal more than is shown, for the chart."""
    if value is None or not math.isfinite(value):
        return None
    finite = [v if v is not None and math.isfinite(v) else None for v in (value, *ends)]
    return [*(None if v is None else round(v, digits + 1) for v in finite), digits]


def _bars(section: Section, training: str, name: str, results: Sequence[Result]) -> Bars:
    like = results[0].like
    trained = "" if training == "pool" else f" · {training}"
    title = f"{plain_name(name)} · {section.title}{trained}"
    low, high = _limits(results, like.reference)
    return Bars(title, like.unit, decimals(results), like.reference, like.reference_error, low, high)


def _limits(results: Sequence[Result], reference: float | None) -> tuple[float, float]:
    """All bars, cut where they are far longer than most; all values, and the reference."""
    answered = [r for r in results if r.answered and r.part is not None]
    must = [v for r in answered if r.part is not None and (v := r.part.value) is not None]
    must += [] if reference is None else [reference]
    if not must:
        return 0.0, 1.0
    bounds = np.array([r.stated for r in answered], dtype=np.float64).reshape(-1, 2)
    reach = REACH * 0.5 * float(np.median(bounds[:, 1] - bounds[:, 0])) if len(bounds) else 0.0
    low, high = (
        float(f(edge, initial=must[0])) for f, edge in ((np.min, bounds[:, 0]), (np.max, bounds[:, 1]))
    )
    low, high = max(low, min(must) - reach), min(high, max(must) + reach)
    low, high = min(low, *must), max(high, *must)
    margin = 0.06 * (high - low) or 1e-3 * abs(high) or 1e-3
    return low - margin, high + margin


def _panel_row(panel: Materials, name: str, standing: Standing) -> list[Any]:
    scores = standing.table.scores
    return [
        standing.method,
        VARIANT_NAMES[standing.variant],
        name,
        scored(scores.get("coverage_stated")),
        standing.nominal,
        scored(scores.get("coverage_95")),
        scored(scores.get("width_over_reference")),
        scored(scores.get("error_over_width")),
        scored(scores.get("n_answers")),
        scored(scores.get("n_materials")),
        panel.title,
    ]
