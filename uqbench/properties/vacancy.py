"""Vacancy formation energy at a given lattice constant, cell fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    start = crystal.vacancy()
    unrelaxed = _energy(start, calculator)
    relaxation = relax(start, calculator, tolerance, watch=on_its_sites(crystal))
    bulk = _bulk(crystal, calculator)
    return Vacancy(unrelaxed - bulk, relaxation.energy - bulk, relaxation.evaluations + 1)


def unrelaxed_energy(crystal: Crystal, calculator: Calculator) -> float:
    """Formation energy with all atoms on their sites, eV."""
    return _energy(crystal.vacancy(), calculator) - _bulk(crystal, calculator)


def _bulk(crystal: Crystal, calculator: Calculator) -> float:
    """(N-1)/N E(N), eV."""
    return _energy(crystal.perfect(), calculator) * (1.0 - 1.0 / crystal.n_sites)


def _energy(atoms: Atoms, calculator: Calculator) -> float:
    atoms.calc = calculator
    return float(atoms.get_potential_energy())


def on_its_sites(crystal: Crystal) -> Callable[[Atoms], None]:
    """Watches the relaxation of crystal.vacancy(): UnstableError where an atom leaves its site.

    Then it is another defect, or none, and what is left of the relaxation is of no use.
    """
    sites = crystal.vacancy().positions

    def watch(atoms: Atoms) -> None:
        moved = np.linalg.norm(atoms.positions - sites, axis=1)
        if moved.max() > FARTHEST * crystal.nearest:
            raise UnstableError(
                f"{crystal.structure} {crystal.symbol}: atom {int(moved.argmax())} moved {moved.max():.2f} Å beside "
                f"the vacancy, more than half of the {crystal.nearest:.2f} Å between neighbours."
            )

    return watch


def perfect_rows(backbone: LinearBackbone, elements: tuple[str, ...], crystals: Sequence[Crystal]) -> Array:
    """(n, P) rows of (N-1)/N E(N), eV, of n crystals: what a vacancy's energy is compared with."""
    # Energies per atom of the primitive cell and of the supercell are the same.
    rows = backbone.rows([crystal.primitive() for crystal in crystals], elements)
    return np.array([(crystal.n_sites - 1) * r[0] for crystal, r in zip(crystals, rows, strict=True)])


def unrelaxed_rows(backbone: LinearBackbone, elements: tuple[str, ...], crystals: Sequence[Crystal]) -> Array:
    """(n, P) rows of unrelaxed formation energies, eV: linear in the coefficients, so their bounds are exact."""
    rows = backbone.rows([crystal.vacancy() for crystal in crystals], elements)
    defect = [(crystal.n_sites - 1) * r[0] for crystal, r in zip(crystals, rows, strict=True)]
    return np.array(defect) - perfect_rows(backbone, elements, crystals)
