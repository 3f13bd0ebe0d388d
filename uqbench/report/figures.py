"""The figures of a section: calibration curves, error against predicted σ, sharpness against cost; learning curves."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from uqbench.report.plot_calibration import draw_calibration
from uqbench.report.plot_cost import draw_cost
from uqbench.report.plot_errors import draw_errors
from uqbench.report.plot_learning import Curve, draw_learning
from uqbench.report.sections import Section
from uqbench.report.styles import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_KINDS = ("energy", "forces")
_SETTINGS = {
    "svg.hashsalt": "uqbench",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "legend.fontsize": 7.5,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 5.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def section_figures(section: Section, styles: Mapping[str, Style]) -> dict[str, bytes]:
    """SVG files by name, of the test part, energies and forces; the same input gives the same bytes.

    A figure that would have nothing to show is left out.
    """
    rankings = section.rankings
    standings = {k: rankings[k, "test"].standings for k in _shown(section) if (k, "test") in rankings}
    files: dict[str, bytes] = {}
    for name, draw in (("calibration", draw_calibration), ("errors", draw_errors), ("cost", draw_cost)):
        files |= figure_files(lambda draw=draw: draw(standings, styles), f"{section.slug}-{name}")
    return files


def curve_figure(curve: Curve, styles: Mapping[str, Style]) -> dict[str, bytes]:
    """The SVG file of a learning curve by name; none where there is nothing to show."""
    return figure_files(
        lambda: draw_learning(curve, _shown(curve.sections[-1]), styles), f"{curve.slug}-learning"
    )


def figure_files(draw: Callable[[], Figure | None], stem: str) -> dict[str, bytes]:
    """An SVG by its file name of what draw makes, in the settings of all figures; none if it makes nothing."""
    with _drawing():
        figure = draw()
        return {} if figure is None else _saved(figure, stem)


def _shown(section: Section) -> list[str]:
    return [k for k in section.kinds if k in SHOWN_KINDS] or section.kinds[:1]


@contextmanager
def _drawing() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield


def _saved(figure: Figure, stem: str) -> dict[str, bytes]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return {f"{stem}.svg": buffer.getvalue()}
