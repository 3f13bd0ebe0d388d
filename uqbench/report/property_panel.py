"""Simulation results over many materials: which sections make a panel, and what its methods score."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uqbench.api import Array
from uqbench.report.property_results import (
    VARIANTS,
    Result,
    Variant,
    has_properties,
    section_results,
    trainings,
)
from uqbench.report.sections import Section
from uqbench.scores.bootstrap import LEAST_CLUSTERS
from uqbench.scores.calibrate import LEVELS
from uqbench.scores.panel import Panel, panel_table
from uqbench.scores.summary import ScoreTable
from uqbench.suite.record import Range
from uqbench.suite.scoring import BOOTSTRAP_SEED

ALL = "all materials"
MOST_SECTIONS = 20
"""Materials of no family have sections of their own up to this number."""
_FAMILY = re.compile(r"(analytic)_\d+")


@dataclass(frozen=True)
class Standing:
    """Scores of one method and posterior over some results. kappas: of those that were scaled, in no order."""

    method: str
    variant: Variant
    nominal: float | None
    kappas: tuple[float, ...]
    table: ScoreTable


@dataclass(frozen=True)
class Materials:
    """Sections of at least two materials that differ in material, task and seed alone.

    extrapolation: fits without the groups that the cards withhold. results: those with a reference.
    """

    title: str
    slug: str
    family: str
    extrapolation: bool
    sections: tuple[Section, ...]
    results: tuple[Result, ...]

    @cached_property
    def names(self) -> list[str]:
        """Materials, by the names of their datasets; the clusters of every interval."""
        return sorted({section.first.cell.dataset for section in self.sections})

    @property
    def enough(self) -> bool:
        """Whether there are intervals; hits otherwise."""
        return len(self.names) >= LEAST_CLUSTERS

    @property
    def replaces_sections(self) -> bool:
        """Whether so many sections would drown the page, and are summarised only."""
        return self.enough and (self.family != ALL or len(self.names) > MOST_SECTIONS)

    @property
    def by_command(self) -> list[list[Section]]:
        """Sections that one command runs: of one task, seed and choice of methods."""
        groups: dict[tuple[object, ...], list[Section]] = {}
        for section in self.sections:
            methods = tuple(sorted(r.cell.method for r in section.records))
            groups.setdefault((section.first.cell.task, section.first.cell.seed, methods), []).append(section)
        return list(groups.values())

    @cached_property
    def properties(self) -> list[str]:
        """Names of the properties scored, sorted."""
        return sorted({result.like.name for result in self.results})

    @cached_property
    def standings(self) -> list[Standing]:
        """Scores of every method and posterior over all properties, every reference counted once."""
        return _standings([r for r in self.results if r.like.name == r.like.compared_with])

    @cached_property
    def standings_of(self) -> dict[str, list[Standing]]:
        """The same over each property."""
        return {
            name: _standings([r for r in self.results if r.like.name == name]) for name in self.properties
        }


def make_panels(sections: Sequence[Section]) -> list[Materials]:
    """Panels of two materials or more, in the order of the sections."""
    groups: dict[tuple[object, ...], list[Section]] = {}
    for section in filter(has_properties, sections):
        cell = section.first.cell
        family = family_of(cell.dataset)
        for extrapolation in {name != "pool" for name in trainings(section)}:
            key = (family, backbone_of(cell.backbone), cell.device, -cell.train_size, extrapolation)
            groups.setdefault(key, []).append(section)
    several_sizes = len({section.first.cell.train_size for own in groups.values() for section in own}) > 1
    panels = []
    for (family, backbone, device, size, extrapolation), own in sorted(
        groups.items(), key=lambda g: str(g[0])
    ):
        results = [
            result
            for section in own
            for name in trainings(section)
            if (name != "pool") == extrapolation
            for result in section_results(section, name)
            if result.like.reference is not None
        ]
        if len({result.record.cell.dataset for result in results}) < 2:
            continue
        words = ["properties", str(family), str(backbone), str(device)]
        words += [f"train size {own[0].first.cell.train_size:g}"] if several_sizes else []
        words += ["without a group of the data (extrapolation)"] if extrapolation else []
        digest = hashlib.sha256(repr((family, backbone, device, size, extrapolation)).encode()).hexdigest()
        plain = re.sub(r"[^a-z0-9_.]+", "-", "-".join(words[:4]).lower())[:60].strip("-.")
        slug = f"{plain}-{digest[:6]}"
        title = " · ".join(words)
        panels.append(Materials(title, slug, str(family), bool(extrapolation), tuple(own), tuple(results)))
    return panels


def backbone_of(text: str) -> str:
    """A backbone without its cutoff, a length that the card of each material suggests for it.

    >>> backbone_of("snap:cutoff=4.8"), backbone_of("snap:twojmax=6,cutoff=4.8")
    ('snap', 'snap:twojmax=6')
    """
    name, _, written = text.partition(":")
    kept = [field for field in written.split(",") if field and not field.startswith("cutoff=")]
    return f"{name}:{','.join(kept)}" if kept else name


def family_of(dataset: str) -> str:
    """The generated family that a dataset belongs to, or all materials.

    >>> family_of("analytic_017"), family_of("al")
    ('analytic', 'all materials')
    """
    found = _FAMILY.fullmatch(dataset)
    return found[1] if found else ALL


def _standings(results: Sequence[Result]) -> list[Standing]:
    groups: dict[tuple[str, Variant], list[Result]] = {}
    for result in results:
        groups.setdefault((result.method, result.variant), []).append(result)
    order = sorted(groups, key=lambda key: (key[0], VARIANTS.index(key[1])))
    return [_standing(groups[method, variant], method, variant) for method, variant in order]


def _standing(results: Sequence[Result], method: str, variant: Variant) -> Standing:
    parts = [result.part for result in results if result.part is not None]
    nominals = {part.nominal for part in parts if part.nominal is not None}
    kappas = tuple({(r.record.cell_id, r.part.trained_on): r.part.kappa for r in results if r.part}.values())
    return Standing(
        method,
        variant,
        min(nominals, default=None),
        kappas,
        panel_table(panel_of(results), BOOTSTRAP_SEED),
    )


def panel_of(results: Sequence[Result]) -> Panel:
    """Results with references as arrays; nan where there is no answer."""
    at_levels = {p: [r.part.levels.get(str(p)) if r.part else None for r in results] for p in LEVELS}
    return Panel(
        material=np.array([r.record.cell.dataset for r in results]),
        value=_numbers([r.part.value if r.part else None for r in results]),
        lower=_ends([r.stated for r in results])[0],
        upper=_ends([r.stated for r in results])[1],
        intervals={p: _ends(bounds) for p, bounds in at_levels.items()},
        reference=_numbers([r.like.reference for r in results]),
        reference_error=_numbers([r.like.reference_error for r in results]),
        failing=_numbers([r.failing for r in results]),
    )


def _numbers(values: Sequence[float | None]) -> Array:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _ends(bounds: Sequence[Range | None]) -> tuple[Array, Array]:
    low, high = np.array([(np.nan, np.nan) if b is None else b for b in bounds], dtype=np.float64).T
    return low, high
