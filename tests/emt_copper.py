"""Small cells of copper that effective-medium theory labels: a dataset of a second, without LAMMPS."""

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write


def labelled(atoms):
    """The same atoms with energy, forces and stress of effective-medium theory."""
    atoms.calc = EMT()
    found = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **found)
    return atoms


def write_copper(path, n=36):
    """n strained and rattled cells of four atoms, "cold" and "warm" ones; returns the path."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(n):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.standard_normal((3, 3))), scale_atoms=True)
        atoms.rattle(0.1, rng=rng)
        atoms.info["config_type"] = "warm" if i % 2 else "cold"
        frames.append(labelled(atoms))
    write(path, frames)
    return path
