"""Figure: |error| against predicted σ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.report.evidence import Row
from uqbench.report.ranking import Standing
from uqbench.report.styles import Standings, Style, figure_name, new_figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS_ACROSS = 4
LEAST_BINS = 4
"""Fewer bins of σ mean that it is (nearly) constant: there is no dependence to show."""
_RAW_BINS: dict[str, Any] = {"marker": "o", "markersize": 4.0, "linestyle": ":", "zorder": 3}
_CALIBRATED_BINS: dict[str, Any] = {"marker": "o", "markersize": 4.0, "linestyle": "-", "zorder": 4}
_INNER, _OUTER = "0.84", "0.92"


def draw_errors(standings: Standings, styles: Mapping[str, Style]) -> Figure | None:
    """|error| against σ, a panel a method; calibrated RMSE by bins of σ would lie on the line."""
    panels = [
        (kind, row, _calibrated_twin(row, own))
        for kind, own in standings.items()
        for row in sorted((s.row for s in own), key=lambda r: r.record.cell.method)
        if row.variant == "raw" and row.curves and len(row.curves.rms_std) >= LEAST_BINS
    ]
    if not panels:
        return None
    kinds = list(dict.fromkeys(kind for kind, _, _ in panels))
    lines = {k: -(-sum(kind == k for kind, _, _ in panels) // PANELS_ACROSS) for k in kinds}
    figure = new_figure(9.0, 0.6 + 2.15 * sum(lines.values()))
    blocks = figure.subfigures(len(kinds), 1, height_ratios=list(lines.values()), squeeze=False)[:, 0]
    for kind, block in zip(kinds, blocks, strict=True):
        own = [panel for panel in panels if panel[0] == kind]
        axes = block.subplots(lines[kind], PANELS_ACROSS, squeeze=False).ravel()
        for axis, (_, row, twin) in zip(axes, own, strict=False):
            _error_panel(axis, row, twin, styles[row.record.cell.method])
        _error_bands(axes[: len(own)], [r for _, row, twin in own for r in (row, twin) if r is not None])
        for axis in axes[len(own) :]:
            axis.set_visible(False)
        for axis in axes[max(0, len(own) - PANELS_ACROSS) : len(own)]:
            axis.tick_params(labelbottom=True)
        block.supxlabel(f"predicted σ ({own[0][1].unit})", fontsize=8)
        block.supylabel(f"{kind}: |error| ({own[0][1].unit})", fontsize=8)
    figure.legend(handles=_error_handles(), loc="outside upper center", ncols=5, frameon=False)
    return figure


def _error_panel(axis: Axes, row: Row, twin: Row | None, style: Style) -> None:
    axis.set(xscale="log", yscale="log", autoscale_on=False)
    if row.curves is not None:
        axis.scatter(
            row.curves.std, row.curves.abs_error, s=3, color="0.3", alpha=0.5, linewidths=0, rasterized=True
        )
        axis.plot(
            row.curves.rms_std, row.curves.rmse, color=style.colour, markerfacecolor="white", **_RAW_BINS
        )
    if twin is not None and twin.curves is not None:
        axis.plot(twin.curves.rms_std, twin.curves.rmse, color=style.colour, **_CALIBRATED_BINS)
    axis.set_title(figure_name(row.record.cell.method))


def _error_bands(axes: Sequence[Axes], rows: Sequence[Row]) -> None:
    """Where errors should lie if σ is right, over common limits that show all σ and the errors that matter."""
    curves = [row.curves for row in rows if row.curves is not None]
    std = np.concatenate([np.concatenate([c.std, c.rms_std]) for c in curves])
    error = np.concatenate([np.concatenate([c.abs_error, c.rmse]) for c in curves])
    x = np.array([std.min() / 1.4, std.max() * 1.4])
    y = (0.01 * float(np.sqrt(np.mean(error**2))), error.max() * 1.6)
    for axis in axes:
        axis.fill_between(x, 1.96 * x, y[0] / 2.0, color=_OUTER, linewidth=0, zorder=0)
        axis.fill_between(x, x, y[0] / 2.0, color=_INNER, linewidth=0, zorder=0)
        axis.plot(x, x, color="0.45", linewidth=0.8, zorder=1)
        axis.set(xlim=x, ylim=y)
        # Minor ticks of so many logarithmic axes would take most of the time of a report.
        axis.minorticks_off()
        axis.label_outer()


def _error_handles() -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], color="0.3", marker=".", linestyle="", label="values, raw σ"),
        Line2D([], [], color="0.2", markerfacecolor="white", label="RMSE by bins of raw σ", **_RAW_BINS),
        Line2D([], [], color="0.2", label="of calibrated σ (ideal: on the line)", **_CALIBRATED_BINS),
        Patch(color=_INNER, label="|error| < σ: 68 %"),
        Patch(color=_OUTER, label="< 1.96 σ: 95 %"),
    ]


def _calibrated_twin(row: Row, own: Sequence[Standing]) -> Row | None:
    twins = [s.row for s in own if s.row.variant == "calibrated" and s.row.record is row.record]
    return twins[0] if twins else None
