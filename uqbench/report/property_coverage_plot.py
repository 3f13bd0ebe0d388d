"""Figure: observed against nominal coverage of simulation results over a panel of materials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uqbench.report.property_panel import Materials, Standing
from uqbench.report.property_results import VARIANTS
from uqbench.report.styles import Style, method_handles, new_figure
from uqbench.scores.calibrate import LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLES = {"raw": "raw", "kappa": "posterior scaled by κ"}
_SPREAD = 2.4
"""Per cent of nominal coverage over which the methods' points at one level are spread."""


def draw_panel_coverage(panel: Materials, styles: Mapping[str, Style]) -> Figure | None:
    """A line a method with bootstrap intervals over materials; below the diagonal is overconfident."""
    standings = [s for s in panel.standings if _points(s)]
    if not standings:
        return None
    figure = new_figure(9.0, 3.6)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, variant in zip(axes, VARIANTS, strict=True):
        axis.plot([0, 100], [0, 100], color="0.6", linewidth=0.8, zorder=0)
        _lines(axis, [s for s in standings if s.variant == variant], styles)
        axis.set(title=_TITLES[variant], xlim=(45, 100), ylim=(0, 101), xlabel="nominal coverage (%)")
        axis.set_xticks([100.0 * p for p in LEVELS])
        axis.text(99, 4, "too narrow", ha="right", color="0.4", fontsize=7)
        axis.text(46, 94, "too wide", color="0.4", fontsize=7)
    axes[0].set_ylabel("observed coverage (%)")
    handles = method_handles([s.method for s in standings], styles, lines=True, markers=True)
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


def _lines(axis: Axes, standings: Sequence[Standing], styles: Mapping[str, Style]) -> None:
    for number, standing in enumerate(standings):
        # Side by side, so that intervals of methods that cover alike are all seen.
        aside = _SPREAD * ((number + 0.5) / len(standings) - 0.5)
        style = styles[standing.method]
        points = _points(standing)
        axis.plot(
            [x + aside for x, *_ in points],
            [y for _, y, *_ in points],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=4.0,
            linewidth=1.0,
            zorder=2.0 + style.gaps,
        )
        for x, _, low, high in points:
            if low is not None and high is not None:
                axis.plot(
                    [x + aside] * 2, [low, high], color=style.colour, linewidth=0.8, alpha=0.6, zorder=2
                )


def _points(standing: Standing) -> list[tuple[float, float, float | None, float | None]]:
    """Nominal and observed coverage with its interval, in per cent."""
    points = []
    for level in LEVELS:
        score = standing.table.scores.get(f"coverage_{100 * level:.0f}")
        if score is not None:
            ends = [None if end is None else 100.0 * end for end in (score.low, score.high)]
            points.append((100.0 * level, 100.0 * score.value, *ends))
    return points
