"""The table of scores: every method, raw and calibrated, in every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from uqbench.report.evidence import Row
from uqbench.report.html.columns import FIT_COLUMNS, Column, PageTable, fit_values, rounded, scored
from uqbench.report.ranking import Ranking, Standing, common_machine, cost_ratio, time_counts
from uqbench.report.sections import Section
from uqbench.report.tables import PART_NAMES, fit_seconds
from uqbench.suite.record import ScorePart

_COLUMNS = (
    Column("method", "text", True),
    Column("scored", "text", True, "raw: as the method says it; calibrated: after one rule for all methods"),
    Column("rank", "count", about="methods tie unless they differ significantly"),
    Column(
        "score",
        "number",
        about="interval score at 95 %, over that of calibrated constant where there is one; less is better",
    ),
    Column("coverage 95 % (%)", "share", about="share of values inside the 95 % interval; 95 is right"),
    Column("stated bounds (%)", "share", about="share of values inside the bounds that the method states"),
    Column("claimed (%)", "share", about="what stated bounds are to hold; 100: an envelope"),
    Column("cost / bare", "number", about="time of a prediction over that of the bare potential [quartiles]"),
    Column("times", "text", True, "ranked: measured on the machine of most rows, with nothing else running"),
    Column("width / RMSE", "number", about="mean width of the 95 % interval over the RMSE"),
    Column("matched width", "number", about="the same after scaling to 95 % coverage: sharpness alone"),
    Column("CRPS", "number", about="continuous ranked probability score, in the unit of the observable"),
    Column("RMSE", "number", about="of the potential, in the unit of the observable"),
    Column("rank corr.", "number", about="Spearman correlation of |error| and σ"),
    Column("fit (s)", "number", about="wall time of the fits, all folds"),
    Column("memory (MB)", "count", about="peak resident memory of the process"),
    Column("observable", "text", True),
    Column("structures", "text", True, "test: like those trained on; held out: kinds that no fit has seen"),
    Column("task", "text", True),
    Column("dataset", "text", True),
    *FIT_COLUMNS,
    Column("machine", "text", True),
    Column("unit", "hidden"),
    Column("relative", "hidden"),
    Column("pareto", "hidden"),
    Column("comparison", "hidden"),
)


@dataclass(frozen=True)
class Comparison:
    """Rows of one section, observable and part: what is ranked together."""

    title: str
    ranking: Ranking

    @property
    def standings(self) -> list[Standing]:
        """Ranked rows, then those scored on other observations, which have no rank."""
        return [*self.ranking.standings, *(Standing(row, None, None) for row in self.ranking.strangers)]


def make_comparisons(sections: Sequence[Section]) -> list[Comparison]:
    """One for each table of the leaderboard, in its order."""
    return [
        Comparison(f"{kind}, {PART_NAMES[part]} · {section.title}", ranking)
        for section in sections
        for (kind, part), ranking in section.rankings.items()
    ]


def score_table(comparisons: Sequence[Comparison]) -> PageTable:
    """A row for each standing, in order."""
    table = PageTable("scores", "Scores of held-out energies, forces and stresses", _COLUMNS)
    for number, comparison in enumerate(comparisons):
        ranking = comparison.ranking
        machine = common_machine([standing.row for standing in ranking.standings])
        for standing in comparison.standings:
            table.rows.append(_row(standing, ranking.has_baseline, machine, number))
    return table


def _row(standing: Standing, has_baseline: bool, machine: str, comparison: int) -> list[Any]:
    row, scores = standing.row, standing.row.scores
    record = row.record
    cell = record.cell
    score = standing.relative if has_baseline else scores.get("interval_score_95")
    memory = record.cost.get("peak_resident_bytes")
    return [
        cell.method,
        row.variant,
        standing.rank,
        scored(score),
        scored(scores.get("coverage_95")),
        scored(scores.get("coverage_stated")),
        _value(scores.get("nominal_stated")),
        _cost(row),
        _times(row, machine),
        _value(scores.get("width_95")),
        _value(scores.get("matched_width_95")),
        _value(scores.get("crps")),
        _value(scores.get("rmse")),
        _value(scores.get("spearman")),
        rounded(fit_seconds(record)),
        None if memory is None else round(memory / 1e6),
        row.kind,
        PART_NAMES[row.part],
        cell.task,
        cell.dataset,
        *fit_values(cell),
        record.machine_class,
        row.unit,
        has_baseline,
        standing.pareto,
        comparison,
    ]


def _value(score: ScorePart | None) -> float | None:
    return None if score is None else rounded(score.value)


def _cost(row: Row) -> list[float | None] | None:
    ratio = cost_ratio(row)
    if ratio is None:
        return None
    low, high = row.record.cost["predict"]["ratio_quartiles"]
    return [rounded(ratio), rounded(low), rounded(high)]


def _times(row: Row, machine: str) -> str:
    if cost_ratio(row) is None:
        return "not measured"
    return "ranked" if time_counts(row, machine) else "not ranked"
