"""Cubic crystals of one element, and the cells that properties are computed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

from uqbench.api import Material
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

Structure = Literal["fcc", "bcc", "diamond", "sc"]
NEAREST = {"fcc": 0.5**0.5, "bcc": 0.75**0.5, "diamond": 0.1875**0.5, "sc": 1.0}
"""Distance of nearest neighbours in units of the lattice constant."""
SITES = {"fcc": 4, "bcc": 2, "diamond": 8, "sc": 1}
"""Atoms of the conventional cell."""


@dataclass(frozen=True)
class Crystal:
    """A cubic crystal. a: lattice constant, Å. supercell: conventional cells along each axis."""

    structure: Structure
    symbol: str
    a: float
    supercell: tuple[int, int, int] = (2, 2, 2)

    def __post_init__(self) -> None:
        if self.structure not in NEAREST:
            raise UqbenchError(
                f"Crystal.structure is {self.structure!r}; one of {', '.join(get_args(Structure))} is needed."
            )
        if not (np.isfinite(self.a) and self.a > 0):
            raise UqbenchError(f"Crystal.a is {self.a!r}; a positive length in Å is needed.")
        if len(self.supercell) != 3 or min(self.supercell) < 1:
            raise UqbenchError(f"Crystal.supercell is {self.supercell}; three numbers from 1 up are needed.")

    @property
    def nearest(self) -> float:
        """Distance of nearest neighbours, Å."""
        return NEAREST[self.structure] * self.a

    @property
    def n_sites(self) -> int:
        """Atoms of the perfect supercell."""
        return SITES[self.structure] * int(np.prod(self.supercell))

    def at(self, a: float) -> Crystal:
        """The same crystal at another lattice constant, Å."""
        return replace(self, a=a)

    def primitive(self) -> Atoms:
        """The primitive cell, cubic axes along x, y, z."""
        from ase.build import bulk

        return bulk(self.symbol, self.structure, a=self.a)

    def perfect(self) -> Atoms:
        """The supercell of conventional cells."""
        from ase.build import bulk

        return bulk(self.symbol, self.structure, a=self.a, cubic=True).repeat(self.supercell)

    def vacancy(self) -> Atoms:
        """The supercell without its first atom, the others on their sites."""
        atoms = self.perfect()
        if len(atoms) == 1:
            raise UqbenchError(
                f"{self.symbol}: a supercell of one atom leaves nothing around a vacancy; take a larger one."
            )
        del atoms[0]
        return atoms


def cubic_crystal(material: Material, supercell: tuple[int, int, int] = (1, 1, 1)) -> Crystal:
    """The crystal of a material at its reference's lattice constant."""
    lattice = material.lattice
    return Crystal(cast(Structure, lattice.structure), material.symbol, lattice.a, supercell)
