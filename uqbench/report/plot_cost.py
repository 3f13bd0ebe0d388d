"""Figure: relative interval score against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from uqbench.report.ranking import Standing, common_machine, cost_ratio, time_counts
from uqbench.report.styles import Standings, Style, figure_name, method_handles, new_figure, plain_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


LEGEND_LINE = 0.18
"""Inches, of a line of the legend."""


def draw_cost(standings: Standings, styles: Mapping[str, Style]) -> Figure | None:
    """Relative interval score against the cost ratio; lower left is better."""
    shown = {
        kind: [s for s in own if s.relative and cost_ratio(s.row) is not None]
        for kind, own in standings.items()
    }
    shown = {kind: own for kind, own in shown.items() if own}
    if not shown:
        return None
    every = [s for own in shown.values() for s in own]
    handles = method_handles(
        [s.row.record.cell.method for s in every], styles, lines=False, markers=True
    ) + _cost_handles(every)
    figure = new_figure(9.0, max(3.4, LEGEND_LINE * sum(1 + str(h.get_label()).count("\n") for h in handles)))
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis, (kind, own) in zip(axes, shown.items(), strict=True):
        _cost_panel(axis, own, styles)
        axis.set(title=kind, xlabel="cost of a prediction / bare potential")
    axes[0].set_ylabel("interval score / calibrated constant")
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


def _cost_panel(axis: Axes, own: Sequence[Standing], styles: Mapping[str, Style]) -> None:
    machine = common_machine([s.row for s in own])
    axis.set(xscale="log", yscale="log")
    axis.axhline(1.0, color="0.6", linewidth=0.8, zorder=0)
    for standing in own:
        score, cost, style = (
            standing.relative,
            cost_ratio(standing.row),
            styles[standing.row.record.cell.method],
        )
        if score is None or cost is None:
            continue
        strength = 1.0 if time_counts(standing.row, machine) else 0.5
        if score.low is not None and score.high is not None:
            axis.plot([cost, cost], [score.low, score.high], color=style.colour, linewidth=0.7, alpha=0.5)
        filled = standing.row.variant == "calibrated"
        axis.plot(
            [cost],
            [score.value],
            marker=style.marker,
            color=style.colour,
            markerfacecolor=style.colour if filled else "white",
            alpha=strength,
            linestyle="",
            zorder=3,
        )
    axis.margins(0.12, 0.08)
    _front(axis, [s for s in own if s.pareto and s.relative is not None])
    for direction in (axis.xaxis, axis.yaxis):
        plain_ticks(direction)


def _front(axis: Axes, own: Sequence[Standing]) -> None:
    """The edge of what is beaten, up and to the right of the front, and the names of the methods on it."""
    points = sorted(
        (cost_ratio(s.row) or 0.0, s.relative.value, s.row.record.cell.method) for s in own if s.relative
    )
    if not points:
        return
    right, top = axis.get_xlim()[1], axis.get_ylim()[1]
    x, y, names = map(list, zip(*points, strict=True))
    axis.step(
        [x[0], *x, right],
        [top, *y, y[-1]],
        where="post",
        color="0.3",
        linewidth=0.9,
        linestyle="--",
        zorder=1,
    )
    axis.set(xlim=(axis.get_xlim()[0], right), ylim=(axis.get_ylim()[0], top))
    axis.text(
        0.98,
        0.03,
        "On the front: " + ", ".join(" ".join(figure_name(n).split()) for n in dict.fromkeys(names)),
        ha="right",
        va="bottom",
        fontsize=7,
        color="0.25",
        transform=axis.transAxes,
        wrap=True,
    )


def _cost_handles(standings: Sequence[Standing]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    machine = common_machine([s.row for s in standings])
    points: dict[str, Any] = {"color": "0.2", "linestyle": "", "marker": "o"}
    handles = [
        Line2D([], [], markerfacecolor="white", label="raw (open)", **points),
        Line2D([], [], label="calibrated (filled)", **points),
    ]
    if any(s.pareto for s in standings):
        handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=0.9, label="Pareto front"))
    if not all(time_counts(s.row, machine) for s in standings):
        handles.append(Line2D([], [], alpha=0.4, label="faint: time not ranked", **points))
    return handles
