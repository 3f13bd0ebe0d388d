"""What a reader wants first: which error bars hold what they claim, how tight they are, what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from uqbench.report.evidence import Row
from uqbench.report.markdown import NONE, details, escape, number, percent, table
from uqbench.report.narrow import on_lines
from uqbench.report.property_results import chosen, has_properties, section_results
from uqbench.report.ranking import Ranking, Standing, common_machine, cost_ratio, time_counts
from uqbench.report.sections import Section
from uqbench.report.tables import fit_seconds
from uqbench.suite.record import ScorePart

READING = (
    "**Tightness**: interval score at 95 % of calibrated error bars, over that of one error bar for all (calibrated "
    "`constant`); lower is better, below 1 knows where the potential errs; bold: tied for the first place. **Hold "
    "(claim)**: share of test values inside the bounds that the method states, and the share that it claims (100: an "
    "envelope); bold: the claim is reached, within the 95 % bootstrap interval. **Simulations inside**: references of "
    "simulation results inside stated bounds, posterior as it is or scaled by κ. **Cost**: time of a prediction "
    "over the bare potential's (†: not ranked, for the machine was busy or another one), and of the fits.\n"
)
NAME_WIDTH = 26
"""Characters of a method's name on one line."""
NO_BREAK = "\u00a0"
FIRST_KINDS = 2
"""Kinds of the main table; the others fold."""
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

    def of(self, part: str) -> list[Column]:
        """Columns of one part."""
        return [column for column in self.rankings if column[1] == part]

    @property
    def text(self) -> str:
        """What to remember, the main table, and what folds."""
        return f"### {escape(self.title)}\n\n{_remarks(self)}\n{_main_table(self)}\n{_folded(self)}"


def make_overviews(sections: Sequence[Section]) -> list[Overview]:
    """One for every dataset, backbone, device, train size and seed with ranked predictions."""
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(section.title.split(" · ", 1)[1], []).append(section)
    found = [Overview(title, tuple(own)) for title, own in groups.items()]
    return [overview for overview in found if overview.rankings]


def _remarks(overview: Overview) -> str:
    lines = []
    tests = overview.of("test") or overview.of("held_out")
    first = {
        column: {
            name
            for (name, variant), s in overview.standings[column].items()
            if variant == "calibrated" and s.rank == 1
        }
        for column in tests
    }
    kinds = _listed([kind for kind, _ in tests])
    if all(first.values()):
        alike = set.intersection(*first.values())
        said = _named(alike) if alike else f"none; on {tests[0][0]} {_named(first[tests[0]])}"
        lines.append(f"**Tightest** once calibrated, tied for the first place on {kinds}: {said}.")
    holding = {
        name
        for name in overview.methods
        if all(_holds(overview.standings[column].get((name, "raw"))) for column in tests)
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
            said.append(f"{_listed(spans)} {where}")
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


def _main_table(overview: Overview) -> str:
    tests = (overview.of("test") or overview.of("held_out"))[:FIRST_KINDS]
    header = ["method", *(f"{escape(kind)}: tightness" for kind, _ in tests)]
    header += [f"{escape(kind)}: hold (claim) %" for kind, _ in tests]
    header += ["simulations inside: raw / κ"] if overview.hits else []
    header += ["cost / bare; fit"]
    first = next(iter(overview.standings.values()))
    machine = common_machine([s.row for s in first.values()])
    lines = []
    for name in overview.methods:
        line = [_folded_name(name), *(_tight(overview.standings[c].get((name, "calibrated"))) for c in tests)]
        line += [_stated(overview.standings[c].get((name, "raw"))) for c in tests]
        line += [_hits(overview, name)] if overview.hits else []
        raw = first.get((name, "raw"))
        line.append(_cost_text(raw.row, machine) if raw else NONE)
        lines.append(line)
    return table(header, lines)


def _hits(overview: Overview, method: str) -> str:
    """References inside the stated bounds, raw and with κ, of how many."""
    raw, scaled = (overview.hits.get((method, variant)) for variant in ("raw", "kappa"))
    if raw is None or scaled is None:
        return NONE
    return f"{raw[0]} / {scaled[0]} of {raw[1]}".replace(" ", NO_BREAK)


def _cost_text(row: Row, machine: str) -> str:
    """Of a prediction, with a dagger where times are not ranked; and of the fits."""
    cost, seconds = cost_ratio(row), fit_seconds(row.record)
    dagger = "" if cost is None or time_counts(row, machine) else f"{NO_BREAK}†"
    return f"{number(cost)}{dagger}; {number(seconds)} s".replace(" ", NO_BREAK)


def _folded(overview: Overview) -> str:
    """The columns that the main table leaves out."""
    columns = [
        c
        for c in overview.rankings
        if c not in (overview.of("test") or overview.of("held_out"))[:FIRST_KINDS]
    ]
    if not columns:
        return ""
    header = ["method", *(f"{_heading(c)}: tightness" for c in columns)]
    header += [f"{_heading(c)}: hold (claim) %" for c in columns]
    lines = [
        [_folded_name(name), *(_tight(overview.standings[c].get((name, "calibrated"))) for c in columns)]
        + [_stated(overview.standings[c].get((name, "raw"))) for c in columns]
        for name in overview.methods
    ]
    return details("The same of " + _listed([_heading(c) for c in columns]), table(header, lines))


def _order(column: Column) -> tuple[bool, int, str]:
    kind, part = column
    return part != "test", KINDS.index(kind) if kind in KINDS else len(KINDS), kind


def _tightness(standing: Standing | None) -> float:
    return standing.relative.value if standing and standing.relative else float("inf")


def _tight(standing: Standing | None) -> str:
    if standing is None or standing.relative is None:
        return NONE
    text = number(standing.relative.value)
    return f"**{text}**" if standing.rank == 1 else text


def _stated(standing: Standing | None) -> str:
    found = _stated_score(standing)
    if found is None:
        return NONE
    text = percent(found[0].value)
    return f"{f'**{text}**' if _holds(standing) else text}{NO_BREAK}({100 * found[1]:g})"


def _holds(standing: Standing | None) -> bool:
    """Whether the stated bounds hold what they claim, within the bootstrap interval."""
    found = _stated_score(standing)
    if found is None:
        return False
    covered, claimed = found
    return (covered.value if covered.high is None else covered.high) >= claimed - 1e-12


def _stated_score(standing: Standing | None) -> tuple[ScorePart, float] | None:
    scores = standing.row.scores if standing else {}
    covered, claimed = scores.get("coverage_stated"), scores.get("nominal_stated")
    return (covered, claimed.value) if covered and claimed else None


def _heading(column: Column) -> str:
    kind, part = column
    return escape(kind) if part == "test" else f"held-out {escape(kind)}"


def _folded_name(name: str) -> str:
    """On several lines where it is long, so that the table is narrow."""
    return "<br>".join(map(escape, on_lines(name, NAME_WIDTH).splitlines()))


def _named(names: Iterable[str]) -> str:
    return ", ".join(escape(name) for name in sorted(names))


def _listed(words: Sequence[str]) -> str:
    """As a sentence has them.

    >>> _listed(["forces", "energy", "stress"])
    'forces, energy and stress'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
