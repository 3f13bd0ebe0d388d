"""What a reader wants first: which error bars hold what they claim, how tight they are, what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from uqbench.report.markdown import escape, number, percent
from uqbench.report.overview_simulations import Tally, most_inside, tallies
from uqbench.report.property_results import Variant, has_properties, section_results
from uqbench.report.ranking import (
    BASELINE,
    Ranking,
    Standing,
    common_machine,
    cost_ratio,
    time_counts,
)
from uqbench.report.sections import Section
from uqbench.scores.bootstrap import LEAST_CLUSTERS
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
    def relative(self) -> bool:
        """Whether scores are over those of calibrated `constant`; absolute where no column has it."""
        return any(ranking.has_baseline for s in self.sections for ranking in s.rankings.values())

    @cached_property
    def rankings(self) -> dict[Column, Ranking]:
        """By (kind, part), those with a baseline if there is any: test before held out, forces first."""
        found = {
            column: ranking
            for section in self.sections
            for column, ranking in section.rankings.items()
            if ranking.has_baseline or not self.relative
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
        return sorted(names, key=lambda name: (self._tightness(first.get((name, "calibrated"))), name))

    def tightness(self, standing: Standing | None) -> float | None:
        """Interval score over that of the baseline, or absolute; None where there is none."""
        if standing is None:
            return None
        found = standing.relative if self.relative else standing.row.scores.get("interval_score_95")
        return found.value if found else None

    def _tightness(self, standing: Standing | None) -> float:
        found = self.tightness(standing)
        return float("inf") if found is None else found

    def few(self, column: Column) -> bool:
        """Whether there are too few clusters to say anything of others."""
        return self.rankings[column].n_clusters < LEAST_CLUSTERS

    def untold(self, column: Column) -> bool:
        """Whether one error bar for all, calibrated `constant`, is itself tied for the first place."""
        constant = self.standings[column].get((BASELINE, "calibrated"))
        return constant is not None and constant.rank == 1

    def leaders(self, column: Column) -> set[str]:
        """Methods that are tied for the first place once calibrated; none where that says nothing."""
        if self.untold(column) or len(self.methods) == 1:
            return set()
        calibrated = {
            name: s for (name, variant), s in self.standings[column].items() if variant == "calibrated"
        }
        return {name for name, s in calibrated.items() if s.rank == 1}

    @cached_property
    def simulations(self) -> dict[tuple[str, Variant], Tally]:
        """Simulation results with a reference, by method and posterior; of fits on the whole pool."""
        sections = filter(has_properties, self.sections)
        return tallies([result for section in sections for result in section_results(section, "pool")])

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
    """What to remember of it, a line each; nothing where there are too few clusters."""
    tests = [column for column in overview.leading if not overview.few(column)]
    if not tests:
        return ""
    lines = [_tightest(overview, tests)]
    holding = {
        name
        for name in overview.methods
        if all(holds(overview.standings[column].get((name, "raw"))) for column in tests)
    }
    lines.append(f"**Hold what they claim** as stated, on {_kinds(tests)}: {_named(holding) or 'none'}.")
    if overview.simulations:
        raw = {escape(name): t for (name, variant), t in overview.simulations.items() if variant == "raw"}
        lines.append(f"**Simulation results**: {most_inside(raw)}.")
    if said := _calibrated(overview):
        ends = ", of the least covering method to the most" if len(overview.methods) > 1 else ""
        lines.append(f"**Calibrated** 95 % intervals{ends}: {said}.")
    lines.append(_cost(overview))
    return "".join(f"- {line}\n" for line in lines if line)


def _tightest(overview: Overview, tests: Sequence[Column]) -> str:
    told = [column for column in tests if not overview.untold(column)]
    if not told:
        return f"**Tightest** once calibrated, on {_kinds(tests)}: the first cannot be told from one error bar for all."
    first = {column: overview.leaders(column) for column in told}
    if not all(first.values()):
        return ""
    alike = set.intersection(*first.values())
    said = _named(alike) if alike else f"none; on {told[0][0]} {_named(first[told[0]])}"
    return f"**Tightest** once calibrated, tied for the first place on {_kinds(told)}: {said}."


def _calibrated(overview: Overview) -> str:
    said = []
    for part, where in (("test", "of test"), ("held_out", "of held-out kinds of structure")):
        spans = []
        columns = [column for column in overview.of(part) if not overview.few(column)]
        for kind, _ in columns:
            shares = [
                s.row.scores["coverage_95"].value
                for (_, variant), s in overview.standings[kind, part].items()
                if variant == "calibrated" and "coverage_95" in s.row.scores
            ]
            if shares:
                ends = dict.fromkeys(percent(share) for share in (min(shares), max(shares)))
                spans.append(f"{escape(kind)} {' to '.join(ends)} %")
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
    if len(costs) == 1:
        said = f"{number(least)} ({escape(cheapest)})"
        return f"**Cost** of a prediction with error bars: {said} times the bare potential."
    return (
        f"**Cost** of a prediction with error bars: {number(least)} ({escape(cheapest)}) to {number(most)} "
        f"({escape(dearest)}) times the bare potential, of {len(costs)} methods whose times rank."
    )


def _order(column: Column) -> tuple[bool, int, str]:
    kind, part = column
    return part != "test", KINDS.index(kind) if kind in KINDS else len(KINDS), kind


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


def _kinds(columns: Sequence[Column]) -> str:
    return listed([escape(kind) for kind, _ in columns])


def listed(words: Sequence[str]) -> str:
    """As a sentence has them.

    >>> listed(["forces", "energy", "stress"])
    'forces, energy and stress'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
