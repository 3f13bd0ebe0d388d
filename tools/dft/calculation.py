"""One calculation: everything that pw.x is told, and the hash of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from tools.dft.settings import Mesh, Settings

if TYPE_CHECKING:
    from ase import Atoms

DIGITS = 6
"""Decimals of cells and positions in Å: what the input holds, so that labels are of what is written and the hash
does not hang on the last bits of a machine."""


@dataclass(frozen=True)
class Species:
    """mass: u. electrons: of the valence. pseudopotential: name of the UPF file. sha256: of the psp8 file."""

    symbol: str
    mass: float
    electrons: int
    pseudopotential: str
    sha256: str


@dataclass(frozen=True)
class Calculation:
    """name: unique in a set. group: the config_type. atoms: one element, periodic. relax: move the atoms until no
    force component is larger, eV/Å; 0: leave them. about: kept in the record (seed, strain, how it was made).
    """

    name: str
    group: str
    atoms: Atoms
    species: Species
    settings: Settings
    mesh: Mesh
    relax: float = 0.0
    about: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rounded = self.atoms.copy()
        rounded.set_cell(rounded.cell.array.round(DIGITS))
        rounded.positions = rounded.positions.round(DIGITS)
        rounded.info = {}
        rounded.calc = None
        object.__setattr__(self, "atoms", rounded)

    @property
    def inputs(self) -> str:
        """SHA-256 of the input of pw.x and of the pseudopotential."""
        from tools.dft.pwscf_input import input_text

        return hashlib.sha256(f"{self.species.sha256}\n{input_text(self)}".encode()).hexdigest()

    def with_settings(self, name: str, mesh: Mesh | None = None, **changes: float) -> Calculation:
        """The same structure under another name, with another mesh or other settings."""
        return replace(
            self,
            name=name,
            mesh=self.mesh if mesh is None else mesh,
            settings=self.settings.model_copy(update=changes),
        )
