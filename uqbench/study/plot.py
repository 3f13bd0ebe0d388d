"""Figure of the synthetic study: what more data do to coverage, width and interval score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uqbench.report.figures import figure_files
from uqbench.report.styles import make_styles, method_handles, new_figure
from uqbench.study.checks import EPISTEMIC, PREDICTIVE
from uqbench.study.linear import FAMILIES, UNFLOORED, Study
from uqbench.study.synthetic import N_FEATURES, Case
from uqbench.study.theory import epistemic_coverage, epistemic_coverage_misspecified, predictive_coverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = {
    "coverage": "labels in the 95 % interval (%)",
    "width": "width / RMSE",
    "calibrated_score": "calibrated interval score\n/ calibrated constant",
}
WORST_SCORE = 1.08
"""Scores beyond it are off the figure, lest one method flatten all others; 1 is the baseline's."""


def study_figure(study: Study) -> dict[str, bytes]:
    """An SVG by its file name; the same study gives the same bytes."""
    return figure_files(lambda: _draw(study), "linear-study")


def _draw(study: Study) -> Figure:
    styles = make_styles(study.methods)
    # Where no leverage is small, as here, the floor changes nothing: one line for both.
    shown = [method for method in study.methods if method != UNFLOORED]
    families = [name for name in FAMILIES if study.family(name)]
    figure = new_figure(10.0, 7.0)
    axes = figure.subplots(len(MEASURES), len(families), sharex=True, sharey="row", squeeze=False)
    for column, name in enumerate(families):
        cases = study.family(name)
        ratio = [case.n / N_FEATURES for case in cases]
        for axis, measure in zip(axes[:, column], MEASURES, strict=True):
            unit = 100.0 if measure == "coverage" else 1.0
            for method in shown:
                mean, error = zip(*(study.of(case, method, measure) for case in cases), strict=True)
                style = styles[method]
                axis.errorbar(
                    ratio,
                    [unit * v for v in mean],
                    [unit * v for v in error],
                    color=style.colour,
                    marker=style.marker,
                    linestyle=style.line,
                    markersize=3.5,
                    elinewidth=0.8,
                    zorder=2.0 + style.gaps,
                )
        _theory(axes[0, column], study, cases)
        axes[0, column].set(title=f"{name}: σ = {FAMILIES[name][0]:g}, m = {FAMILIES[name][1]:g}")
        axes[-1, column].set(xlabel="training rows per feature, n/P", xscale="log")
        axes[-1, column].set_xticks(ratio, [f"{r:g}" for r in ratio], minor=False)
        axes[-1, column].minorticks_off()
    for axis, label in zip(axes[:, 0], MEASURES.values(), strict=True):
        axis.set_ylabel(label)
    axes[0, 0].set_ylim(0.0, 102.0)
    axes[1, 0].set_yscale("log")
    axes[1, 0].set_yticks([0.5, 1.0, 2.0, 4.0, 8.0], ["0.5", "1", "2", "4", "8"])
    axes[1, 0].minorticks_off()
    scores = [study.of(case, method, "calibrated_score")[0] for case in study.cases for method in shown]
    axes[2, 0].set_ylim(0.97 * min([1.0, *scores]), WORST_SCORE)
    figure.legend(
        handles=[*method_handles(shown, styles, lines=True, markers=True), *_theory_handle()],
        loc="outside right upper",
        frameon=False,
    )
    return figure


def _theory(axis: Axes, study: Study, cases: list[Case]) -> None:
    ratio = [case.n / N_FEATURES for case in cases]
    lines = {
        EPISTEMIC: [
            epistemic_coverage_misspecified(case, N_FEATURES)
            if case.misfit
            else epistemic_coverage(case.n, N_FEATURES)
            for case in cases
        ]
    }
    if not any(case.misfit for case in cases):
        lines[PREDICTIVE] = [predictive_coverage(case.n, N_FEATURES) for case in cases]
    for method, values in lines.items():
        if method in study.methods:
            axis.plot(ratio, [100.0 * v for v in values], **_THEORY)


def _theory_handle():
    from matplotlib.lines import Line2D

    return [Line2D([], [], label="theory of bayesian_linear", **_THEORY)]


_THEORY = {"color": "black", "linestyle": "", "marker": "_", "markersize": 14.0, "zorder": 5}
