"""The overall table: a line a method, over all tasks on one dataset and backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uqbench.report.markdown import NONE, escape, number, percent, table
from uqbench.report.property_results import chosen, has_properties, section_results
from uqbench.report.ranking import Ranking, Standing, common_machine
from uqbench.report.sections import Section
from uqbench.report.tables import cost_text, fit_seconds

READING = (
    "Scores are calibrated interval scores at 95 % over those of calibrated `constant` (below 1: knows where the "
    "errors are), in brackets the rank among all rows of the table further down, raw ones too; rows of one rank tie. "
    "Methods stand in the order of the first column.\n"
)
KINDS = ("forces", "energy", "stress")


def overall_tables(sections: Sequence[Section]) -> str:
    """One table for every dataset, backbone, device, train size and seed with ranked predictions; empty without."""
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(section.title.split(" · ", 1)[1], []).append(section)
    tables = []
    for title, own in groups.items():
        ranked = {
            column: ranking
            for section in own
            for column, ranking in section.rankings.items()
            if ranking.has_baseline
        }
        if ranked:
            tables.append(f"### {escape(title)}\n\n{_table(own, ranked)}")
    return "\n".join(["## Overall\n", READING, *tables]) if tables else ""


def _table(sections: Sequence[Section], ranked: Mapping[tuple[str, str], Ranking]) -> str:
    columns = sorted(
        ranked, key=lambda c: (c[1] != "test", KINDS.index(c[0]) if c[0] in KINDS else len(KINDS), c[0])
    )
    standings = {column: {_row(s): s for s in ranked[column].standings} for column in columns}
    first = standings[columns[0]]
    methods = sorted(
        {name for own in standings.values() for name, _ in own},
        key=lambda name: (_order(first.get((name, "calibrated")) or first.get((name, "raw"))), name),
    )
    hits = _hits(sections)
    machine = common_machine([s.row for s in first.values()])
    header = [
        "method",
        *(_heading(column) for column in columns),
        f"{columns[0][0]}: raw coverage of 95 % (%)",
    ]
    header += ["simulation results inside stated bounds", "with κ"] if hits else []
    header += ["cost / bare [quartiles]", "fit (s)"]
    lines = []
    for name in methods:
        raw = first.get((name, "raw"))
        covered = raw.row.scores.get("coverage_95") if raw else None
        line = [escape(name), *(_score(standings[c].get((name, "calibrated"))) for c in columns)]
        line.append(percent(covered.value if covered else None))
        line += [hits.get((name, variant), NONE) for variant in ("raw", "kappa")] if hits else []
        line += [cost_text(raw.row, machine), number(fit_seconds(raw.row.record))] if raw else [NONE, NONE]
        lines.append(line)
    return table(header, lines)


def _row(standing: Standing) -> tuple[str, str]:
    return standing.row.record.cell.method, standing.row.variant


def _order(standing: Standing | None) -> float:
    return standing.relative.value if standing and standing.relative else float("inf")


def _heading(column: tuple[str, str]) -> str:
    kind, part = column
    return escape(kind) if part == "test" else f"{escape(kind)}, held out"


def _score(standing: Standing | None) -> str:
    if standing is None or standing.relative is None:
        return NONE
    place = f" ({standing.rank})" if standing.rank is not None else ""
    return f"{number(standing.relative.value)}{place}"


def _hits(sections: Sequence[Section]) -> dict[tuple[str, str], str]:
    """'3 of 5' by method and variant: references inside the stated bounds, of all trained on the whole pool."""
    counts: dict[tuple[str, str], list[bool]] = {}
    for section in (s for s in sections if has_properties(s)):
        results = [r for r in section_results(section, "pool") if r.like.reference is not None]
        for method in {r.method for r in results}:
            for variant in ("raw", "kappa"):
                verdicts = [r.verdict(r.stated) == "inside" for r in chosen(results, method, variant)]
                counts.setdefault((method, variant), []).extend(verdicts)
    return {key: f"{sum(own)} of {len(own)}" for key, own in counts.items() if own}
