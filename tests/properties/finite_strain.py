"""Elastic constants the slow way: a check of the formula by another route."""

import numpy as np

from uqbench.properties.lattice import strained
from uqbench.properties.relax import relax


def finite_strain_slopes(atoms, calculator, strains, amplitudes):
    """Slopes dσ_i/dε_j (6, len(strains)), eV/Å³, from cells strained by finite amplitudes and really relaxed.

    A quadratic through the amplitudes (engineering strains) gives the slope at zero.
    """
    slopes = []
    for j in strains:
        stresses = []
        for amplitude in amplitudes:
            atoms_there = relax(strained(atoms, amplitude * np.eye(6)[j]), calculator).atoms
            atoms_there.calc = calculator
            stresses.append(atoms_there.get_stress())
        slopes.append(np.polyfit(amplitudes, np.array(stresses), 2)[1])
    return np.array(slopes).T
