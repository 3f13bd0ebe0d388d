"""The tables of a section: ranked and relative, absolute, by kind of structure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from uqbench.report.evidence import Row
from uqbench.report.markdown import NONE, details, escape, number, percent, table, with_interval
from uqbench.report.ranking import Ranking, Standing, common_machine, time_counts
from uqbench.report.sections import Section
from uqbench.scores.bootstrap import LEAST_CLUSTERS
from uqbench.suite.record import Record, ScorePart

MANY_ALIKE = 10
"""Cells of one method and task that end alike on so many datasets are one line of the failures."""
PART_NAMES = {"test": "test", "held_out": "held out (out of distribution)"}


def ranked_table(ranking: Ranking) -> str:
    """The main table of one part and kind."""
    unit = escape(ranking.standings[0].row.unit)
    score = "interval score 95 %" + (" / `constant`" if ranking.has_baseline else f" ({unit})")
    header = ["rank", "method", "scored", score, "coverage 95 % (%)", "stated bounds: coverage (claimed) (%)"]
    header += ["width 95 % / RMSE", "matched width / RMSE", f"CRPS ({unit})", "rank corr. (attainable)"]
    rows = [_ranked_row(standing, ranking.has_baseline) for standing in ranking.standings]
    return table(header, rows, text_columns=3) + _ranked_remarks(ranking)


def _ranked_row(standing: Standing, has_baseline: bool) -> list[str]:
    row, scores = standing.row, standing.row.scores
    relative = standing.relative if has_baseline else scores.get("interval_score_95")
    return [
        (NONE if standing.rank is None else str(standing.rank)) + (" ◆" if standing.pareto else ""),
        escape(row.record.cell.method),
        row.variant,
        with_interval(relative),
        with_interval(scores.get("coverage_95"), percent),
        _beside(scores, "coverage_stated", "nominal_stated", percent),
        number(_value(scores, "width_95")),
        number(_value(scores, "matched_width_95")),
        number(_value(scores, "crps")),
        _beside(scores, "spearman", "spearman_attainable", _correlation),
    ]


def cost_table(section: Section) -> str:
    """Time and memory of every method with scores; empty if there is none. One fit answers for all kinds."""
    if not section.rows:
        return ""
    machine = common_machine(section.rows)
    by_method = {row.record.cell.method: row for row in section.rows}
    lines = [
        [
            escape(name),
            cost_text(row, machine),
            number(fit_seconds(row.record)),
            memory_text(row.record),
        ]
        for name, row in sorted(by_method.items())
    ]
    return table(["method", "cost / bare [quartiles]", "fit (s)", "memory (MB)"], lines)


def _ranked_remarks(ranking: Ranking) -> str:
    remarks = []
    if ranking.n_clusters < LEAST_CLUSTERS:
        remarks.append(
            f"Only {ranking.n_clusters} clusters (under {LEAST_CLUSTERS}): no intervals are drawn and no ranks given."
        )
    if not ranking.has_baseline:
        remarks.append(
            "There is no interval score of a calibrated `constant` here: rows are sorted by the absolute interval "
            "score, and there is no Pareto front."
        )
    for row in ranking.strangers:
        remarks.append(
            f"{escape(row.record.cell.method)} ({row.variant}) is left out: it was scored on other observations."
        )
    missing = {
        escape(s.row.record.cell.method): reason
        for s in ranking.standings
        if s.row.sums is None and (reason := _reasons(s.row).get("interval_score_95"))
    }
    remarks += [f"{name}: no interval score. {escape(reason)}" for name, reason in missing.items()]
    return "".join(f"\n{remark}\n" for remark in remarks)


def absolute_table(ranking: Ranking) -> str:
    """Values in the unit of the observable, which also rank the potentials, and the cluster-conformal intervals."""
    unit = escape(ranking.standings[0].row.unit)
    header = ["method", "scored", f"RMSE ({unit})", f"MAE ({unit})", f"interval score 95 % ({unit})"]
    header += [
        f"CRPS ({unit})",
        f"NLL (log {unit})",
        "z²: mean",
        "cluster-conformal 95 %: coverage (%)",
        "its width / RMSE",
    ]
    rows = []
    for row in (s.row for s in ranking.standings):
        scores = row.scores
        rows.append(
            [
                escape(row.record.cell.method),
                row.variant,
                with_interval(scores.get("rmse")),
                number(_value(scores, "mae")),
                with_interval(scores.get("interval_score_95")),
                with_interval(scores.get("crps")),
                number(_value(scores, "nll")),
                number(_value(scores, "zms")),
                with_interval(scores.get("cluster_coverage_95"), percent),
                number(_value(scores, "cluster_width_95")),
            ]
        )
    return table(header, rows, text_columns=2)


def group_tables(section: Section) -> str:
    """Coverage at 95 % by kind of structure, one folded table a part and kind."""
    texts = []
    for kind, part in section.rankings:
        rows = sorted(section.of(kind, part), key=lambda r: (r.record.cell.method, r.variant))
        by_row = [r.record.groups.get(r.variant, {}).get(part, {}).get(kind, {}) for r in rows]
        names = sorted({name for groups in by_row for name in groups})
        sizes = {name: next(g[name] for g in by_row if name in g) for name in names}
        header = ["method", "scored"]
        header += [f"{escape(n)} ({sizes[n]['n']:.0f} in {sizes[n]['n_clusters']:.0f})" for n in names]
        lines = [
            [escape(r.record.cell.method), r.variant]
            + [percent(groups.get(name, {}).get("coverage_95")) for name in names]
            for r, groups in zip(rows, by_row, strict=True)
        ]
        heading = f"{escape(kind).capitalize()}, {PART_NAMES[part]}: coverage (%)"
        texts.append(f"{heading}\n\n{table(header, lines, text_columns=2)}")
    about = "In brackets: observations, in how many clusters.\n\n"
    return details("Coverage at 95 % by kind of structure", about + "\n".join(texts)) if texts else ""


def cost_text(row: Row, machine: str) -> str:
    """The cost ratio with its quartiles, and a dagger where times are not ranked."""
    predict = row.record.cost.get("predict", {})
    if "ratio_to_bare" not in predict:
        return NONE
    low, high = predict["ratio_quartiles"]
    text = f"{number(predict['ratio_to_bare'])} [{number(low)}, {number(high)}]"
    return text if time_counts(row, machine) else f"{text} †"


def fit_seconds(record: Record) -> float | None:
    """Wall time of the fits of all folds."""
    fits = record.cost.get("fit", [])
    return sum(f["wall_s"] for f in fits) if fits else None


def memory_text(record: Record) -> str:
    """Peak resident memory in MB; of the device too, where one was used."""
    if "peak_resident_bytes" not in record.cost:
        return NONE
    text = f"{record.cost['peak_resident_bytes'] / 1e6:.0f}"
    device = record.cost.get("peak_device_bytes")
    return text if device is None else f"{text} + GPU {device / 1e6:.0f}"


def failures_table(records: list[Record]) -> str:
    """Cells without scores, and scored ones that could not be calibrated, with the reason; empty if there is none."""
    lines = _failure_lines([r for r in records if r.status != "ok"])
    for record in records:
        parts = record.reasons.get("calibrated", {})
        reasons = [
            (reason["calibration"], f"{kind}, {PART_NAMES.get(part, part)}")
            for part, kinds in parts.items()
            for kind, reason in kinds.items()
            if "calibration" in reason
        ]
        for why, entries in groupby(sorted(reasons), key=lambda entry: entry[0]):
            where = "; ".join(place for _, place in entries)
            lines.append([escape(record.cell_id), "not calibrated", escape(f"{where}: {why}")])
    return table(["cell", "what", "why"], lines, text_columns=3) if lines else ""


def _failure_lines(records: list[Record]) -> list[list[str]]:
    """A line a cell, but one for a cell that ended alike on many datasets."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        cell = record.cell
        reason = record.failure.reason.replace(cell.dataset, "…") if record.failure else NONE
        alike = (record.status, cell.backbone, cell.method, cell.task, cell.device, reason)
        groups.setdefault(alike, []).append(record)
    lines = []
    for (status, backbone, method, task, _, reason), own in groups.items():
        if len(own) < MANY_ALIKE:
            lines += [
                [escape(r.cell_id), status, escape(r.failure.reason)[:500] if r.failure else NONE]
                for r in own
            ]
        else:
            datasets = sorted({r.cell.dataset for r in own})
            where = f"{len(own)} cells: {datasets[0]} … {datasets[-1]}/{backbone}/{method}/{task}"
            lines.append([escape(where), status, escape(reason)[:500]])
    return lines


def _value(scores: Mapping[str, ScorePart], name: str) -> float | None:
    return scores[name].value if name in scores else None


def _beside(scores: Mapping[str, ScorePart], name: str, reference: str, form) -> str:
    if name not in scores:
        return NONE
    text = form(scores[name].value)
    return f"{text} ({form(scores[reference].value)})" if reference in scores else text


def _correlation(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"


def _reasons(row: Row) -> Mapping[str, str]:
    return row.record.reasons.get(row.variant, {}).get(row.part, {}).get(row.kind, {})
