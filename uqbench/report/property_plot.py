"""Figure: bounds of simulation results as bars beside the reference, all methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.report.property_numbers import plain_name
from uqbench.report.property_results import Result, by_property, methods_of
from uqbench.report.styles import Style, figure_name, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_ACROSS = 4
PANELS_WIDTH = 8.0
LETTER, TITLE_LETTER = 0.06, 0.068
"""Inches, of an average letter of a method's name and of a title."""
REACH = 3.0
"""Bars are cut this many median half-widths from the middle, so that one wild method does not hide the others."""
# Not in the method's colour: open and filled are to be told apart on any bar.
_INSIDE: dict[str, Any] = {"marker": "o", "markersize": 4.2, "color": "black", "markeredgecolor": "white"}
_INSIDE |= {"markeredgewidth": 0.8, "linestyle": ""}
_OUTSIDE: dict[str, Any] = {**_INSIDE, "color": "white", "markeredgecolor": "black"}
_REFERENCE: dict[str, Any] = {"marker": "D", "markersize": 5.0, "color": "0.15", "linestyle": ""}
_SHIFT = {"raw": -0.17, "kappa": 0.17}
_WIDTH = {"raw": 1.4, "kappa": 4.2}


def draw_bounds(results: Sequence[Result], styles: Mapping[str, Style]) -> Figure | None:
    """A panel a property, a line a method; raw bounds thin above the ones scaled by κ; None if there are no bounds."""
    panels = [(name, own) for name, own in by_property(results) if any(r.answered for r in own)]
    if not panels:
        return None
    methods = methods_of(results)
    lines = -(-len(panels) // MOST_ACROSS)
    across = -(-len(panels) // lines)
    labels = [figure_name(method) for method in methods]
    width = PANELS_WIDTH + LETTER * max(len(line) for label in labels for line in label.splitlines())
    figure = new_figure(width, 0.75 + lines * (0.75 + 0.3 * len(methods)))
    axes = figure.subplots(lines, across, squeeze=False, sharey=True)
    for axis, (name, own) in zip(axes.ravel(), panels, strict=False):
        _panel(axis, own, methods, styles)
        title = f"{plain_name(name)} ({own[0].like.unit})"
        axis.set_title(_folded(title, int(PANELS_WIDTH / across / TITLE_LETTER)), pad=8.0)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_yticks(range(len(methods)), labels)
        axis.set_ylim(len(methods) - 0.4, -0.6)
    figure.legend(handles=_handles(results), loc="outside upper center", ncols=5, frameon=False)
    return figure


def _panel(
    axis: Axes, results: Sequence[Result], methods: Sequence[str], styles: Mapping[str, Style]
) -> None:
    from matplotlib.ticker import MaxNLocator

    reference = results[0].like.reference
    if reference is not None:
        error = results[0].like.reference_error or 0.0
        axis.axvspan(reference - error, reference + error, color="0.8", linewidth=0, zorder=0)
        axis.axvline(reference, color="0.15", linewidth=1.0, zorder=3.5)
        # On the upper edge, where no bar hides it.
        axis.plot(
            [reference], [1.0], transform=axis.get_xaxis_transform(), clip_on=False, zorder=5, **_REFERENCE
        )
    low, high = _limits(results, reference)
    for result in results:
        _bar(axis, result, methods.index(result.method), styles[result.method], (low, high))
    for place in range(1, len(methods)):
        axis.axhline(place - 0.5, color="0.9", linewidth=0.5, zorder=0)
    axis.set_xlim(low, high)
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    axis.ticklabel_format(axis="x", useOffset=False, style="plain")


def _bar(axis: Axes, result: Result, place: int, style: Style, limits: tuple[float, float]) -> None:
    y = place + _SHIFT[result.variant]
    value = result.part.value if result.part else None
    if not result.answered or result.stated is None or value is None:
        # Beside the reference, not under its line.
        reference = result.like.reference
        left = reference is not None and reference > 0.5 * sum(limits)
        x, side = (0.02, "left") if left else (0.98, "right")
        where = axis.get_yaxis_transform()
        axis.text(x, y, "no answer", ha=side, va="center", fontsize=6, color="0.35", transform=where)
        return
    shown = np.clip(result.stated, *limits)
    axis.plot(
        shown, [y, y], color=style.colour, linewidth=_WIDTH[result.variant], solid_capstyle="butt", zorder=3
    )
    for end, bound, marker in zip(shown, result.stated, "<>", strict=True):
        if end != bound:
            axis.plot([end], [y], marker=marker, markersize=4, color=style.colour, clip_on=False, zorder=4)
    missed = result.verdict(result.stated) == "outside"
    axis.plot([value], [y], zorder=4, **(_OUTSIDE if missed else _INSIDE))


def _limits(results: Sequence[Result], reference: float | None) -> tuple[float, float]:
    """What the axis shows: all bars, cut where they are far longer than most, and the reference in any case."""
    bounds = np.array([r.stated for r in results if r.answered])
    values = [r.part.value for r in results if r.answered and r.part is not None]
    must = np.array(values + ([] if reference is None else [reference]))
    reach = REACH * 0.5 * float(np.median(bounds[:, 1] - bounds[:, 0]))
    low = min(must.min(), max(bounds[:, 0].min(), must.min() - reach))
    high = max(must.max(), min(bounds[:, 1].max(), must.max() + reach))
    margin = 0.06 * (high - low) or 1e-3 * abs(high) or 1e-3
    return low - margin, high + margin


def _handles(results: Sequence[Result]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color="0.4", linewidth=_WIDTH["raw"], label="stated bounds, raw"),
        Line2D([], [], color="0.4", linewidth=_WIDTH["kappa"], label="scaled by κ"),
    ]
    if any(r.like.reference is not None for r in results):
        handles += [
            Line2D([], [], label="reference ± its error (line below)", **_REFERENCE),
            Line2D([], [], label="prediction, reference inside", **_INSIDE),
            Line2D([], [], label="reference outside", **_OUTSIDE),
        ]
    return handles


def _folded(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text.replace("$", r"\$"), width))
