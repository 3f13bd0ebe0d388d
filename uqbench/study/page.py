"""The synthetic study as text: theory beside measurement, and a table a case, for a page and for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.atomic import write_atomically
from uqbench.report.markdown import NONE, details, escape, number, percent, table
from uqbench.study.checks import CONFIDENCE, theory_checks
from uqbench.study.linear import FAMILIES, Study
from uqbench.study.plot import WORST_SCORE, study_figure
from uqbench.study.repeat import N_CALIBRATION, N_TEST
from uqbench.study.synthetic import N_FEATURES, Case

if TYPE_CHECKING:
    from rich.table import Table

TITLE = "Linear methods on a regression of known truth"
COLUMNS = {
    "claim": "claims",
    "stated": "stated bounds",
    "train": "of train",
    "coverage": "95 % interval",
    "best": "best fit",
    "width": "width / RMSE",
    "score": "score",
    "calibrated_coverage": "calibrated",
    "calibrated_width": "its width",
    "calibrated_score": "its score",
}
IN_SHORT = ("stated", "train", "coverage", "width", "calibrated_width", "calibrated_score")
SHARES = ("claim", "stated", "train", "coverage", "best", "calibrated_coverage")
HOW_TO_READ = f"""\
Features x ~ N(0, I) in P = {N_FEATURES} dimensions, labels y = θ·x + m (u² − 1)/√2 + σ ε with u = Σx/√P: whatever the
amount of data, a linear model errs by m, and θ is the best there is. Every number is a mean over repeats ± its standard
error; a repeat draws θ, training rows, {N_CALIBRATION} calibration rows and {N_TEST} test rows. Shares in percent.

- **claims**, **stated bounds**, **of train**: what the method claims of its own bounds (the 95 % interval where it
  states none), and the share of test labels and of training labels that they cover.
- **95 % interval**: labels covered by it; **best fit**: the best linear fit θ·x covered by it, which is the true
  function where the model is well specified.
- **score**: interval score at 95 % over that of calibrated `constant` on the same rows; below 1 is better.
- **calibrated**: coverage after the suite's calibration; **its width** over RMSE, **its score** as above.
"""

Cells = tuple[list[str], list[list[str]]]


def write_study(study: Study, out: Path) -> Path:
    """Write out/linear-study.md and out/figures/linear-study.svg; returns the page's path."""
    for name, content in study_figure(study).items():
        write_atomically(out / "figures" / name, content)
    page = out / "linear-study.md"
    write_atomically(page, _page(study).encode())
    return page


def _page(study: Study) -> str:
    repeats = study.values.shape[1]
    parts = [
        f"# {TITLE}\n\n{HOW_TO_READ}",
        f"Run again with `python -m uqbench study linear --repeats {repeats}`.\n",
        "![Coverage, width and calibrated interval score against the amount of data](figures/linear-study.svg)\n",
        "Dashes are theory for `bayesian_linear` with and without noise; misspecified, theory of n → ∞. Bars are "
        f"standard errors. Scores above {WORST_SCORE:g} are off the figure.\n",
        f"## Theory beside measurement\n\n{_markdown(theory_cells(study), 2)}",
        f"Holds: within {CONFIDENCE:g} standard errors of what is expected. Where theory speaks of n → ∞ only, no "
        "verdict is given.\n",
    ]
    for name, (noise, misfit) in FAMILIES.items():
        cases = study.family(name)
        if not cases:
            continue
        *fewer, most = cases
        parts.append(f"## {name.capitalize()}: σ = {noise:g}, m = {misfit:g}\n\n{_case(study, most)}")
        parts += [details(f"n/P = {case.n / N_FEATURES:g}", _case(study, case)) for case in fewer]
    if study.failures:
        lines = [[escape(method), _name(case), escape(why)] for (case, method), why in study.failures.items()]
        parts.append(f"## Failures\n\n{table(['method', 'case', 'why'], lines, text_columns=3)}")
    return "\n".join(parts)


def _case(study: Study, case: Case) -> str:
    return f"n/P = {case.n / N_FEATURES:g}:\n\n{_markdown(case_cells(study, case), 1)}"


def _markdown(cells: Cells, text_columns: int) -> str:
    header, rows = cells
    return table(header, [[escape(cell) for cell in row] for row in rows], text_columns)


def theory_cells(study: Study) -> Cells:
    """Header and rows of statements, what is expected of them and what was measured."""
    rows = []
    for check in theory_checks(study):
        expected = percent(check.low)
        if check.high > check.low:
            expected += f" to {percent(check.high)}"
        verdict = ("yes" if check.holds else "NO") if check.exact else "(n → ∞)"
        rows.append(
            [check.statement, _name(check.case), expected, _share(check.measured, check.error), verdict]
        )
    return ["statement", "case", "expected (%)", "measured (%)", "holds"], rows


def case_cells(study: Study, case: Case, measures: Sequence[str] = tuple(COLUMNS)) -> Cells:
    """Header and rows of all methods in one case."""
    rows = []
    for method in study.methods:
        cells = [method]
        for measure in measures:
            mean, error = study.of(case, method, measure)
            if measure == "claim":
                cells.append(NONE if math.isnan(mean) else f"{100.0 * mean:g}")
            elif measure in SHARES:
                cells.append(_share(mean, error))
            else:
                cells.append(_with_error(number(mean), error))
        rows.append(cells)
    return ["method", *(COLUMNS[m] for m in measures)], rows


def terminal_tables(study: Study) -> list[Table]:
    """Theory beside measurement, and every family with the most rows, without standard errors."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = [("theory beside measurement", 2, theory_cells(study))]
    for name in FAMILIES:
        for case in study.family(name)[-1:]:
            header, rows = case_cells(study, case, IN_SHORT)
            values = [[cell.split(" ± ")[0] for cell in row] for row in rows]
            shown.append((_name(case), 1, (header, values)))
    tables = []
    for title, text_columns, (header, rows) in shown:
        made = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for place, column in enumerate(header):
            made.add_column(column, justify="left" if place < text_columns else "right", overflow="fold")
        for row in rows:
            made.add_row(*map(Text, row))
        tables.append(made)
    return tables


def _name(case: Case) -> str:
    return f"{case.name}, n/P = {case.n / N_FEATURES:g}"


def _share(mean: float, error: float) -> str:
    return _with_error(NONE if math.isnan(mean) else percent(mean), 100.0 * error)


def _with_error(mean: str, error: float) -> str:
    """A number and its standard error with as many decimals."""
    return mean if mean == NONE else f"{mean} ± {error:.{len(mean.partition('.')[2])}f}"
