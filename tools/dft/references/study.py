"""What all reference properties of a material share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from tools.dft.calculation import Calculation, Species
from tools.dft.laboratory import Laboratory
from tools.dft.material import Lattice, Material
from tools.dft.pulay import CutoffSlope
from tools.dft.record import Record
from tools.dft.settings import Mesh, Settings, denser, mesh_of
from tools.dft.units import GPA
from uqbench.api import Array
from uqbench.data.card import Crystal, ReferenceProperty

if TYPE_CHECKING:
    from ase import Atoms


TIGHTER_CUTOFF, NARROWER = 1.25, 0.5
"""Factors on cutoff and smearing whose effect on references is told."""


@dataclass(frozen=True)
class Variant:
    """Settings for a reference. tag: of names. words: what is changed. changes: of Settings, beside the mesh."""

    tag: str
    words: str
    mesh: Mesh
    changes: Mapping[str, float]


@dataclass(frozen=True)
class Effects:
    """What each change of the settings does to a value, by its words."""

    by_words: Mapping[str, float]

    @classmethod
    def of(cls, variants: Sequence[Variant], values: Mapping[str, float]) -> Effects:
        """values: by the tags of the variants."""
        return cls({v.words: significant(values[v.tag] - values[""], 3) for v in variants if v.words})

    def error(self, *others: float) -> float:
        """Root of the sum of squares of what mesh and cutoff change, and of other errors.

        Smearing is none: its width is part of the functional that labels and references share.
        """
        numerical = (d for what, d in self.by_words.items() if not what.startswith("smearing"))
        return math.hypot(*numerical, *others)

    def for_protocol(self) -> JsonValue:
        """As a card keeps them."""
        return dict(self.by_words)


@dataclass(frozen=True)
class Study:
    """slope: for stresses that belong to the energies."""

    material: Material
    species: Species
    laboratory: Laboratory
    slope: CutoffSlope

    @property
    def settings(self) -> Settings:
        """Those of the labels, with a tighter threshold: references are small differences."""
        return self.material.settings.model_copy(update={"threshold": self.material.references.threshold})

    def relaxing(self, spacing: float | None, shift: int | None) -> Study:
        """With another mesh, where one is given."""
        given = {"spacing": spacing, "shift": shift}
        settings = self.material.settings.model_copy(update={k: v for k, v in given.items() if v is not None})
        return replace(self, material=self.material.model_copy(update={"settings": settings}))

    def variants(self, mesh: Mesh, more: int) -> tuple[Variant, ...]:
        """The settings of the labels, and then one of them changed at a time: mesh by that many points, and so on."""
        cutoff, width = TIGHTER_CUTOFF * self.settings.cutoff, NARROWER * self.settings.width
        dense = denser(mesh, more)
        return (
            Variant("", "", mesh, {}),
            Variant("_dense", f"mesh {said(dense)}", dense, {}),
            Variant("_cutoff", f"cutoff {cutoff:g} Ry", mesh, {"cutoff": cutoff}),
            Variant("_narrow", f"smearing {width:g} Ry", mesh, {"width": width}),
        )

    def mesh(self, atoms: Atoms, spacing: float | None = None) -> Mesh:
        """The mesh that a label of this structure has."""
        return mesh_of(atoms, self.material.settings.spacing if spacing is None else spacing)

    def calculation(
        self, name: str, group: str, atoms: Atoms, mesh: Mesh, relax: float = 0.0, **about: JsonValue
    ) -> Calculation:
        """A reference structure; its group is the config_type in the reference file."""
        full = f"{self.material.name}_ref_{name}"
        return Calculation(full, group, atoms, self.species, self.settings, mesh, relax, about)

    def varied(self, calculation: Calculation, variant: Variant) -> Calculation:
        """The same with other settings, under its name and group with the variant's tag."""
        name = calculation.name + variant.tag
        changed = calculation.with_settings(name, variant.mesh, **variant.changes)
        return replace(changed, group=calculation.group + variant.tag)

    def stress(self, record: Record) -> Array:
        """(3, 3) at fixed cutoff, GPa."""
        return self.slope.corrected(record.stress_tensor, record.volume) * GPA


def reference(
    study: Study,
    name: str,
    value: float,
    unit: str,
    error: float,
    method: str,
    lattice: Lattice,
    config_types: Sequence[str],
    protocol: dict[str, JsonValue],
    structure: str | None = None,
) -> ReferenceProperty:
    """A value for the card. structure: of the lattice; the ground state's if not given."""
    return ReferenceProperty(
        name=name,
        value=significant(value),
        unit=unit,
        method=method,
        error_estimate=significant(abs(error), 2),
        crystal=Crystal.model_validate(
            {"structure": structure or study.material.ground, "a": significant(lattice.a), "c": lattice.c}
        ),
        structures=f"{study.material.name}_reference.xyz.xz",
        config_types=tuple(config_types),
        protocol=protocol,
    )


def significant(number: float, digits: int = 7) -> float:
    """As many digits as are worth reading."""
    return float(f"{number:.{digits}g}")


def said(mesh: Mesh) -> str:
    """A mesh in words."""
    return "x".join(map(str, mesh))
