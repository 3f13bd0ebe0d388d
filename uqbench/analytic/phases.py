"""Crystal structures of one element by the distance of nearest neighbours, and the one that a potential favours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.properties.crystal import NEAREST

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

PHASES = ("fcc", "bcc", "hcp", "sc", "diamond", "lonsdaleite")
"""Those with a hexagonal cell have the ideal c/a; lonsdaleite is to diamond what hcp is to fcc."""


def primitive(phase: str, symbol: str, nearest: float) -> Atoms:
    """The primitive cell of a phase with the given distance of nearest neighbours, Å."""
    from ase.build import bulk

    ideal = np.sqrt(8 / 3)
    if phase == "hcp":
        return bulk(symbol, "hcp", a=nearest, c=nearest * ideal)
    if phase == "lonsdaleite":
        return bulk(symbol * 2, "wurtzite", a=nearest * ideal, c=nearest * ideal**2)
    return bulk(symbol, phase, a=nearest / NEAREST[phase])


def favoured(phase: str, symbol: str, calculator: Calculator, distances: Array) -> tuple[float, float] | None:
    """Which of the distances of nearest neighbours (n,) in Å has the least energy, and that energy in eV per atom.

    None if it is the first or the last: then the least energy lies elsewhere.
    """
    energies = []
    for nearest in distances.tolist():
        atoms = primitive(phase, symbol, nearest)
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy() / len(atoms))
    best = int(np.argmin(energies))
    if best in (0, len(energies) - 1):
        return None
    return float(distances[best]), energies[best]
