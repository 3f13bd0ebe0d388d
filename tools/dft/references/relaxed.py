"""A relaxed structure, and its energies with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tools.dft.record import Record
from tools.dft.references.study import Study, Variant

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Relaxed:
    """record: of the relaxation. energies: eV, at its end, by tags of variants."""

    record: Record
    energies: Mapping[str, float]

    @property
    def left(self) -> str:
        """The largest force in words."""
        return f"largest force component {1e3 * self.record.largest_force:.1f} meV/Å"


def relaxed_energies(
    study: Study, group: str, atoms: Atoms, variants: Sequence[Variant], force: float
) -> Relaxed:
    """Relaxed with the first of the variants, to a force in eV/Å; the others at these positions, which settings hardly
    move. Raises UqbenchError if a calculation failed."""
    relaxing = study.calculation(group, group, atoms, variants[0].mesh, force)
    record = study.laboratory.one(relaxing)
    here = replace(relaxing, atoms=record.atoms(), relax=0.0)
    others = study.laboratory.good([study.varied(here, variant) for variant in variants[1:]])
    energies = {variant.tag: one.energy for variant, one in zip(variants[1:], others, strict=True)}
    return Relaxed(record, {"": record.energy} | energies)
