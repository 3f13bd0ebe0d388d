"""Figure: coverage, width and error against the amount of training data.

The premise of the whole suite in one figure: error bars of a Bayesian kind vanish as data grow, the error stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.report.evidence import Row
from uqbench.report.ranking import BASELINE
from uqbench.report.sections import Section
from uqbench.report.styles import Style, method_handles, new_figure, plain_ticks
from uqbench.suite.record import ScorePart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAUSSIAN_WIDTH = 3.92
"""Width of a Gaussian's 95 % interval in its standard deviations."""


@dataclass(frozen=True)
class Curve:
    """Sections that differ in train size alone, smallest first, at least two."""

    title: str
    slug: str
    sections: tuple[Section, ...]


def learning_curves(sections: Sequence[Section]) -> list[Curve]:
    """Curves of all that was run with several train sizes on the same data."""
    groups: dict[tuple[object, ...], dict[float, Section]] = {}
    for section in sections:
        cell = section.first.cell
        key = (cell.task, cell.dataset, cell.backbone, cell.device, cell.seed, section.first.data.hash)
        groups.setdefault(key, {})[cell.train_size] = section
    several_seeds = len({key[4] for key in groups}) > 1
    curves = []
    for (*words, seed, _), by_size in groups.items():
        if len(by_size) > 1:
            title = " · ".join(map(str, [*words, *([f"seed {seed}"] if several_seeds else [])]))
            own = tuple(by_size[size] for size in sorted(by_size))
            curves.append(Curve(title, own[-1].slug, own))
    return curves


def draw_learning(curve: Curve, kinds: Sequence[str], styles: Mapping[str, Style]) -> Figure | None:
    """Raw coverage at 95 %, width / RMSE, and absolute error bar beside RMSE; None where nothing is to be shown."""
    lines = {kind: list(_lines(curve, kind)) for kind in kinds}
    lines = {kind: own for kind, own in lines.items() if own}
    if not lines:
        return None
    figure = new_figure(10.5, 0.5 + 2.6 * len(lines))
    axes = figure.subplots(len(lines), 3, sharex=True, squeeze=False)
    for (coverage, width, absolute), (kind, own) in zip(axes, lines.items(), strict=True):
        for method, rows in own:
            style = styles[method]
            _with_bars(coverage, rows, "coverage_95", style, 100.0)
            _with_bars(width, rows, "width_95", style, 1.0)
            sigma = [r.scores["width_95"].value * r.scores["rmse"].value / GAUSSIAN_WIDTH for r in rows]
            absolute.plot(
                [_n_train(r) for r in rows],
                sigma,
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markersize=3.5,
            )
        _error(absolute, next((rows for method, rows in own if method == BASELINE), own[0][1]))
        unit = own[0][1][0].unit
        coverage.axhline(95.0, color="0.6", linewidth=0.8, zorder=0)
        width.axhline(GAUSSIAN_WIDTH, color="0.6", linewidth=0.8, zorder=0)
        coverage.set(title=f"{kind}: coverage", ylabel="values in the 95 % interval (%)", ylim=(0.0, 103.0))
        width.set(title=f"{kind}: width / RMSE", yscale="log")
        absolute.set(title=f"{kind}: σ and error ({unit})", yscale="log")
        for axis in (width, absolute):
            plain_ticks(axis.yaxis)
    _ticks(axes[-1], curve)
    shown = [method for own in lines.values() for method, _ in own]
    figure.legend(
        handles=[*_error_handle(), *method_handles(shown, styles, lines=True, markers=True)],
        loc="outside right upper",
        frameon=False,
    )
    return figure


def _lines(curve: Curve, kind: str) -> Iterator[tuple[str, list[Row]]]:
    """Raw rows of the test part by method, from least data to most, of methods with 95 % intervals."""
    methods = sorted({row.record.cell.method for s in curve.sections for row in s.of(kind, "test")})
    for method in methods:
        rows = [
            row
            for section in curve.sections
            for row in section.of(kind, "test")
            if row.record.cell.method == method and row.variant == "raw" and "width_95" in row.scores
        ]
        if rows:
            yield method, rows


def _n_train(row: Row) -> float:
    """Training structures, mean over folds."""
    return float(np.mean([fold["train"] for fold in row.record.data.folds]))


def _with_bars(axis: Axes, rows: Sequence[Row], name: str, style: Style, unit: float) -> None:
    values = [row.scores[name] for row in rows]
    axis.errorbar(
        [_n_train(row) for row in rows],
        [unit * v.value for v in values],
        unit * _reach(values),
        color=style.colour,
        linestyle=style.line,
        marker=style.marker,
        markersize=3.5,
        elinewidth=0.7,
        zorder=2.0 + style.gaps,
    )


def _error(axis: Axes, rows: Sequence[Row]) -> None:
    values = [row.scores["rmse"] for row in rows]
    axis.errorbar(
        [_n_train(row) for row in rows],
        [v.value for v in values],
        _reach(values),
        color="black",
        linewidth=2.5,
        elinewidth=1.0,
        zorder=5,
    )


def _reach(values: Sequence[ScorePart]) -> Array:
    """(2, n) distances to the ends of the intervals, 0 where there is none."""
    low = [v.value - v.low if v.low is not None else 0.0 for v in values]
    high = [v.high - v.value if v.high is not None else 0.0 for v in values]
    # A percentile interval need not hold its value.
    return np.maximum([low, high], 0.0)


def _error_handle():
    from matplotlib.lines import Line2D

    return [Line2D([], [], color="black", linewidth=2.5, label="RMSE")]


def _ticks(axes: Sequence[Axes], curve: Curve) -> None:
    sizes = [float(np.mean([f["train"] for f in s.first.data.folds])) for s in curve.sections]
    for axis in axes:
        axis.set(xscale="log", xlabel="training structures")
        axis.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
        axis.minorticks_off()
