"""Barrier of a vacancy's migration to a neighbouring site of a cubic crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uqbench.properties.crystal import Crystal
from uqbench.properties.energies import EnergySum, Term

if TYPE_CHECKING:
    from ase import Atoms

MIGRATION = "vacancy_migration_energy"


def migration_barrier(crystal: Crystal) -> EnergySum:
    """E(saddle) - E(vacancy), eV, both relaxed in the crystal's supercell at its lattice constant.

    Half way between two sites inversion and reflections turn the moving atom's force to zero, whatever the potential,
    and relaxation keeps them: no path has to be searched. Where the path of least energy leads elsewhere (bcc crystals
    whose atom passes two saddles with a dip between them) it is the energy of that point and not the barrier.
    """
    saddle, vacancy = halfway(crystal.perfect()), crystal.vacancy()
    return EnergySum(MIGRATION, "eV", (Term(1.0, saddle, "positions"), Term(-1.0, vacancy, "positions")))


def halfway(perfect: Atoms) -> Atoms:
    """The first atom's site empty and its nearest neighbour half way there."""
    distances = perfect.get_distances(0, range(1, len(perfect)), mic=True)
    nearest = 1 + int(np.argmin(distances.round(6)))
    saddle = perfect.copy()
    saddle.positions[nearest] -= 0.5 * perfect.get_distance(0, nearest, mic=True, vector=True)
    del saddle[0]
    return saddle
