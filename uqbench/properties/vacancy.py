"""Vacancy formation energy at a given lattice constant, cell fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, LinearBackbone
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.relax import TOLERANCE, relax

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

FARTHEST = 0.5
"""Displacement, in nearest-neighbour distances, beyond which an atom has left its site."""


@dataclass(frozen=True)
class Vacancy:
    """Formation energies E(N-1) - (N-1)/N E(N), eV. evaluations: calls of the potential, the perfect cell's too."""

    unrelaxed: float
    relaxed: float
    evaluations: int


def vacancy_energy(crystal: Crystal, calculator: Calculator, tolerance: float = TOLERANCE) -> Vacancy:
    """Formation energy in the crystal's supercell at its lattice constant, relaxed from ideal sites.

    tolerance: largest force left, eV/Å. Raises NotConvergedError, and UnstableError where an atom leaves its site.
    """
    start, perfect = crystal.vacancy(), crystal.perfect()
    start.calc = calculator
    unrelaxed = float(start.get_potential_energy())
    relaxation = relax(start, calculator, tolerance)
    check_sites(crystal, start, relaxation.atoms)
    perfect.calc = calculator
    bulk = float(perfect.get_potential_energy()) * len(start) / len(perfect)
    return Vacancy(unrelaxed - bulk, relaxation.energy - bulk, relaxation.evaluations + 1)


def check_sites(crystal: Crystal, before: Atoms, after: Atoms) -> None:
    """Raise UnstableError if an atom has left its site: then it is another defect, or none."""
    moved = np.linalg.norm(after.positions - before.positions, axis=1)
    if moved.max() > FARTHEST * crystal.nearest:
        raise UnstableError(
            f"{crystal.structure} {crystal.symbol}: atom {int(moved.argmax())} moved {moved.max():.2f} Å beside the "
            f"vacancy, more than half of the {crystal.nearest:.2f} Å between neighbours."
        )


def perfect_row(backbone: LinearBackbone, elements: tuple[str, ...], crystal: Crystal) -> Array:
    """(P,) row of (N-1)/N E(N), eV: what a vacancy's energy is compared with."""
    # Energies per atom of the primitive cell and of the supercell are the same.
    row = next(iter(backbone.rows([crystal.primitive()], elements)))[0]
    return row * len(crystal.vacancy())


def unrelaxed_row(backbone: LinearBackbone, elements: tuple[str, ...], crystal: Crystal) -> Array:
    """(P,) row of the unrelaxed formation energy, eV: linear in the coefficients, so its bounds are exact."""
    start = crystal.vacancy()
    row = next(iter(backbone.rows([start], elements)))[0]
    return row * len(start) - perfect_row(backbone, elements, crystal)
