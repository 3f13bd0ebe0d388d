"""What a reader wants first: which error bars hold what they claim, how tight they are, what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from uqbench.report.markdown import escape, number, percent
from uqbench.report.property_results import chosen, has_properties, section_results
from uqbench.report.ranking import Ranking, Standing, common_machine, cost_ratio, time_counts
from uqbench.report.sections import Section
from uqbench.suite.record import ScorePart

MOST_COMPARED = 6
"""Comparisons that are summed up at the top."""
KINDS = ("forces", "energy", "stress")
Column = tuple[str, str]


@dataclass(frozen=True)
class Overview:
    """Sections of one dataset, backbone, device, train size and seed, with predictions that are ranked."""

    title: str
    sections: tuple[Section, ...]

    @cached_property
    def rankings(self) -> dict[Column, Ranking]:
        """By (kind, part), those with a baseline: test before held out, forces first."""
        found = {
            column: ranking
            for section in self.sections
            for column, ranking in section.rankings.items()
            if ranking.has_baseline
        }
        return {c: found[c] for c in sorted(found, key=_order)}

    @cached_property
    def standings(self) -> dict[Column, dict[tuple[str, str], Standing]]:
        """By column, then by method and variant."""
        return {
            column: {(s.row.record.cell.method, s.row.variant): s for s in ranking.standings}
            for column, ranking in self.rankings.items()
        }

    @cached_property
    def methods(self) -> list[str]:
        """In the order of the first column."""
        first = next(iter(self.standings.values()))
        names = {name for own in self.standings.values() for name, _ in own}
        return sorted(names, key=lambda name: (_tightness(first.get((name, "calibrated"))), name))

    @cached_property
    def hits(self) -> dict[tuple[str, str], tuple[int, int]]:
        """References inside the stated bounds of how many, by method and variant; of fits on the whole pool."""
        verdicts: dict[tuple[str, str], list[bool]] = {}
        for section in filter(has_properties, self.sections):
            results = [r for r in section_results(section, "pool") if r.like.reference is not None]
            for method in {r.method for r in results}:
                for variant in ("raw", "kappa"):
                    inside = [r.verdict(r.stated) == "inside" for r in chosen(results, method, variant)]
                    verdicts.setdefault((method, variant), []).extend(inside)
        return {key: (sum(own), len(own)) for key, own in verdicts.items() if own}

    @property
    def leading(self) -> list[Column]:
        """Columns of the test part, or of held-out structures where there is none."""
        return self.of("test") or self.of("held_out")

    def of(self, part: str) -> list[Column]:
        """Columns of one part."""
        return [column for column in self.rankings if column[1] == part]


def make_overviews(sections: Sequence[Section]) -> list[Overview]:
    """One for every dataset, backbone, device, train size and seed with ranked predictions."""
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(section.title.split(" · ", 1)[1], []).append(section)
    found = [Overview(title, tuple(own)) for title, own in groups.items()]
    return [overview for overview in found if overview.rankings]


def remarks(overview: Overview) -> str:
    """What to remember of it, a line each."""
    lines = []
    tests = overview.leading
    first = {
        column: {
            name
            for (name, variant), s in overview.standings[column].items()
            if variant == "calibrated" and s.rank == 1
        }
        for column in tests
    }
    kinds = listed([kind for kind, _ in tests])
    if all(first.values()):
        alike = set.intersection(*first.values())
        said = _named(alike) if alike else f"none; on {tests[0][0]} {_named(first[tests[0]])}"
        lines.append(f"**Tightest** once calibrated, tied for the first place on {kinds}: {said}.")
    holding = {
        name
        for name in overview.methods
        if all(holds(overview.standings[column].get((name, "raw"))) for column in tests)
    }
    lines.append(f"**Hold what they claim** as stated, on {kinds}: {_named(holding) or 'none'}.")
    if overview.hits:
        most = max(inside for (_, variant), (inside, _) in overview.hits.items() if variant == "raw")
        names = {
            name
            for (name, variant), (inside, _) in overview.hits.items()
            if variant == "raw" and inside == most
        }
        of = max(n for _, n in overview.hits.values())
        lines.append(
            f"**Simulation results**: most references, {most} of {of}, lie inside the stated bounds of {_named(names)}."
        )
    lines.append(
        f"**Calibrated** 95 % intervals, of the least covering method to the most: {_calibrated(overview)}."
    )
    lines.append(_cost(overview))
    return "".join(f"- {line}\n" for line in lines if line)


def _calibrated(overview: Overview) -> str:
    said = []
    for part, where in (("test", "of test"), ("held_out", "of held-out kinds of structure")):
        spans = []
        for kind, _ in (columns := overview.of(part)):
            shares = [
                s.row.scores["coverage_95"].value
                for (_, variant), s in overview.standings[kind, part].items()
                if variant == "calibrated" and "coverage_95" in s.row.scores
            ]
            if shares:
                spans.append(f"{escape(kind)} {percent(min(shares))} to {percent(max(shares))} %")
        if columns and spans:
            said.append(f"{listed(spans)} {where}")
    return "; ".join(said)


def _cost(overview: Overview) -> str:
    rows = [s.row for (_, variant), s in next(iter(overview.standings.values())).items() if variant == "raw"]
    machine = common_machine(rows)
    costs = sorted(
        (cost, row.record.cell.method)
        for row in rows
        if (cost := cost_ratio(row)) is not None and time_counts(row, machine)
    )
    if not costs:
        return "**Cost**: no time that ranks was measured."
    (least, cheapest), (most, dearest) = costs[0], costs[-1]
    return (
        f"**Cost** of a prediction with error bars: {number(least)} ({escape(cheapest)}) to {number(most)} "
        f"({escape(dearest)}) times the bare potential, of {len(costs)} methods whose times rank."
    )


def _order(column: Column) -> tuple[bool, int, str]:
    kind, part = column
    return part != "test", KINDS.index(kind) if kind in KINDS else len(KINDS), kind


def _tightness(standing: Standing | None) -> float:
    return standing.relative.value if standing and standing.relative else float("inf")


def holds(standing: Standing | None) -> bool:
    """Whether the stated bounds hold what they claim, within the bootstrap interval."""
    found = stated_score(standing)
    if found is None:
        return False
    covered, claimed = found
    return (covered.value if covered.high is None else covered.high) >= claimed - 1e-12


def stated_score(standing: Standing | None) -> tuple[ScorePart, float] | None:
    """Coverage of the stated bounds, and what they claim; None where the method states none."""
    scores = standing.row.scores if standing else {}
    covered, claimed = scores.get("coverage_stated"), scores.get("nominal_stated")
    return (covered, claimed.value) if covered and claimed else None


def _named(names: Iterable[str]) -> str:
    return ", ".join(escape(name) for name in sorted(names))


def listed(words: Sequence[str]) -> str:
    """As a sentence has them.

    >>> listed(["forces", "energy", "stress"])
    'forces, energy and stress'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
