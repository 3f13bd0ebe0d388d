"""Figure: observed against nominal coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uqbench.report.evidence import Row
from uqbench.report.styles import Standings, Style, figure_name, new_figure
from uqbench.scores.reliability import curve_levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_ACROSS = 5
_WIDTHS = (1.9, 0.9)
"""Lines of the kinds, the last kind the thickest: told apart without colour."""
_LINES = {"raw": (0, (1.2, 1.2)), "calibrated": "-"}


def draw_calibration(standings: Standings, styles: Mapping[str, Style]) -> Figure | None:
    """Observed against nominal coverage, a panel a method; below the diagonal is overconfident."""
    rows = [(kind, s.row) for kind, own in standings.items() for s in own if s.row.curves]
    if not rows:
        return None
    methods = sorted({row.record.cell.method for _, row in rows})
    kinds = list(dict.fromkeys(kind for kind, _ in rows))
    widths = dict(zip(reversed(kinds), _WIDTHS, strict=False))
    lines = -(-len(methods) // MOST_ACROSS)
    across = -(-len(methods) // lines)
    figure = new_figure(9.0, 0.8 + 1.85 * lines)
    axes = figure.subplots(lines, across, squeeze=False).ravel()
    for axis, method in zip(axes, methods, strict=False):
        own = [(kind, row) for kind, row in rows if row.record.cell.method == method]
        _panel(axis, own, widths, styles[method])
        axis.set_title(figure_name(method), fontsize=8)
    for axis in axes[len(methods) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(methods) - across) : len(methods)]:
        axis.tick_params(labelbottom=True)
    figure.supxlabel("nominal coverage (%)", fontsize=8)
    figure.supylabel("observed coverage (%): above the line too wide, below too narrow", fontsize=8)
    figure.legend(handles=_handles(kinds, widths), loc="outside upper center", ncols=5, frameon=False)
    return figure


def _panel(axis: Axes, rows: list[tuple[str, Row]], widths: Mapping[str, float], style: Style) -> None:
    axis.plot([0, 100], [0, 100], color="0.6", linewidth=0.8, zorder=0)
    for kind, row in rows:
        if row.curves is not None:
            axis.plot(
                100.0 * curve_levels(),
                100.0 * row.curves.shares,
                color=style.colour,
                linestyle=_LINES[row.variant],
                linewidth=widths[kind],
            )
    axis.set(xlim=(0, 100), ylim=(0, 101), xticks=[0, 50, 100], yticks=[0, 50, 100])
    axis.label_outer()


def _handles(kinds: list[str], widths: Mapping[str, float]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    settings: dict[str, Any] = {"color": "0.25"}
    return [
        Line2D([], [], linestyle=line, linewidth=widths[kind], label=f"{kind}, {variant} σ", **settings)
        for kind in kinds
        for variant, line in _LINES.items()
    ]
