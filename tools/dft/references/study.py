"""What all reference properties of a material share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from tools.dft.calculation import Calculation, Species
from tools.dft.laboratory import Laboratory
from tools.dft.material import Lattice, Material
from tools.dft.pulay import CutoffSlope
from tools.dft.record import Record
from tools.dft.settings import Mesh, Settings, mesh_of
from tools.dft.units import GPA
from uqbench.api import Array
from uqbench.data.card import Crystal, ReferenceProperty

if TYPE_CHECKING:
    from ase import Atoms


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

    def mesh(self, atoms: Atoms, spacing: float | None = None) -> Mesh:
        """The mesh that a label of this structure has."""
        return mesh_of(atoms, self.material.settings.spacing if spacing is None else spacing)

    def calculation(
        self, name: str, group: str, atoms: Atoms, mesh: Mesh, relax: float = 0.0, **about: JsonValue
    ) -> Calculation:
        """A reference structure; its group is the config_type in the reference file."""
        full = f"{self.material.name}_ref_{name}"
        return Calculation(full, group, atoms, self.species, self.settings, mesh, relax, about)

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
