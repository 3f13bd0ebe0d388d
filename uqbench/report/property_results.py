"""Simulation results as the report counts them: one a property, method and posterior, those that are missing too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from uqbench.report.sections import Section
from uqbench.scores.panel import MOST_FAILING
from uqbench.scores.summary import MAIN_LEVEL
from uqbench.suite.record import PropertyPart, Range, Record

Variant = Literal["raw", "kappa"]
Verdict = Literal["inside", "outside", "no answer", "not scored"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
VARIANT_NAMES = {"raw": "raw", "kappa": "κ"}


@dataclass(frozen=True)
class Result:
    """One property of one material by one method, raw or with the posterior scaled by κ.

    like: a part of the same property by any method, for its unit and reference. part: what this method says; None
    where its cell failed or the posterior could not be scaled. why: the reason for that.
    """

    record: Record
    variant: Variant
    like: PropertyPart
    part: PropertyPart | None
    why: str

    @property
    def method(self) -> str:
        """The method's name with its parameters."""
        return self.record.cell.method

    @property
    def stated(self) -> Range | None:
        """The bounds that the method states, or its 95 % interval where it states none."""
        part = self.part
        if part is None or part.lower is None or part.upper is None:
            return None
        return part.lower, part.upper

    @property
    def at_95(self) -> Range | None:
        """The 95 % interval."""
        return self.part.levels.get(str(MAIN_LEVEL)) if self.part else None

    @property
    def failing(self) -> float | None:
        """Share of the samples that do not have the property; None where nothing was computed."""
        if self.part is None:
            return None
        counts = self.part.counts
        n = counts.get("samples", 0)
        return (counts.get("unstable", 0) + counts.get("not converged", 0)) / n if n else 0.0

    @property
    def sample_cost(self) -> float | None:
        """Time of a sample over that of a real computation; None where they were not timed."""
        seconds, n = (self.part.seconds, self.part.counts.get("samples", 0)) if self.part else ({}, 0)
        spent, one = seconds.get("all"), seconds.get("one")
        return spent / (n * one) if spent is not None and one and n else None

    @property
    def answered(self) -> bool:
        """Whether there is a value with a spread that at least 95 % of the samples speak for."""
        found, failing = self.stated, self.failing
        if self.part is None or self.part.value is None or found is None or failing is None:
            return False
        return found[1] > found[0] and failing <= MOST_FAILING + 1e-12

    def verdict(self, bounds: Range | None, margin: float = 0.0) -> Verdict:
        """Where the reference lies, with bounds widened by margin on each side."""
        if self.like.reference is None:
            return "not scored"
        if not self.answered or bounds is None:
            return "no answer"
        return "inside" if bounds[0] - margin <= self.like.reference <= bounds[1] + margin else "outside"

    @property
    def error_over_width(self) -> float | None:
        """|error| over the width of the stated bounds; above 1 is outside them whatever their place."""
        found, reference = self.stated, self.like.reference
        if not self.answered or found is None or reference is None or self.part is None:
            return None
        return abs((self.part.value or 0.0) - reference) / (found[1] - found[0])


def has_properties(section: Section) -> bool:
    """Whether a section is of a property task that gave anything."""
    return any(record.properties for record in section.records)


def trainings(section: Section) -> list[str]:
    """What the section's fits are trained on, the whole pool first."""
    found = {part.trained_on for record in section.records for part in record.properties}
    return sorted(found, key=lambda name: (name != "pool", name))


def section_results(section: Section, trained_on: str) -> list[Result]:
    """Every property of every method that did not decline the task, in order of properties, methods, variants.

    A method whose cell failed, or that says nothing of a property that others have, has results without a part.
    """
    like: dict[str, PropertyPart] = {}
    for record in section.records:
        for part in record.properties:
            if part.trained_on == trained_on:
                like.setdefault(part.name, part)
    records = [r for r in section.records if r.status != "not applicable"]
    records.sort(key=lambda r: r.cell.method)
    by_record = [
        {(p.name, p.variant): p for p in r.properties if p.trained_on == trained_on} for r in records
    ]
    return [
        Result(record, variant, one, parts.get((name, variant)), _why(record, parts, name, variant))
        for name, one in like.items()
        for record, parts in zip(records, by_record, strict=True)
        for variant in VARIANTS
    ]


def _why(record: Record, parts: Mapping[tuple[str, str], PropertyPart], name: str, variant: Variant) -> str:
    if (name, variant) in parts:
        return ""
    if record.failure is not None:
        return f"the cell {record.status}: {record.failure.reason}"
    raw = parts.get((name, "raw"))
    # A posterior that could not be scaled says so last.
    return raw.reasons[-1] if raw is not None and raw.reasons else "the record says nothing of it"


def by_property(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """Results of each property, in order of first appearance."""
    names = dict.fromkeys(result.like.name for result in results)
    for name in names:
        yield name, [result for result in results if result.like.name == name]


def methods_of(results: Sequence[Result]) -> list[str]:
    """Names of methods, sorted."""
    return sorted({result.method for result in results})


def chosen(results: Sequence[Result], method: str, variant: Variant) -> list[Result]:
    """The results of one method and posterior."""
    return [result for result in results if result.method == method and result.variant == variant]
