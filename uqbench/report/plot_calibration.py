"""Figure: observed against nominal coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from uqbench.report.styles import Standings, Style, method_handles, new_figure
from uqbench.scores.reliability import curve_levels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_calibration(standings: Standings, styles: Mapping[str, Style]) -> Figure | None:
    """Observed against nominal coverage, raw beside calibrated; below the diagonal is overconfident."""
    rows = {k: [s.row for s in own if s.row.curves] for k, own in standings.items()}
    rows = {k: own for k, own in rows.items() if own}
    if not rows:
        return None
    figure = new_figure(8.5, 0.5 + 2.7 * len(rows))
    # Square axes leave room that the plain layout takes from the labels.
    figure.set_layout_engine("compressed", wspace=0.05)
    axes = figure.subplots(len(rows), 2, sharex=True, sharey=True, squeeze=False)
    for line, (kind, own) in zip(axes, rows.items(), strict=True):
        for axis, variant in zip(line, ("raw", "calibrated"), strict=True):
            axis.plot([0, 100], [0, 100], color="0.6", linewidth=0.8, zorder=0)
            for row in sorted((r for r in own if r.variant == variant), key=lambda r: r.record.cell.method):
                style = styles[row.record.cell.method]
                shares = row.curves.shares if row.curves else []
                axis.plot(
                    100.0 * curve_levels(),
                    100.0 * np.asarray(shares),
                    color=style.colour,
                    linestyle=style.line,
                    zorder=2.0 + style.gaps,
                )
            axis.set(title=f"{kind}, {variant} σ", xlim=(0, 100), ylim=(0, 100), aspect="equal")
            axis.text(97, 4, "too narrow", ha="right", color="0.4", fontsize=7)
            axis.text(3, 94, "too wide", color="0.4", fontsize=7)
        line[0].set_ylabel("observed coverage (%)")
    for axis in axes[-1]:
        axis.set_xlabel("nominal coverage (%)")
    handles = method_handles(
        [r.record.cell.method for own in rows.values() for r in own], styles, lines=True, markers=False
    )
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure
