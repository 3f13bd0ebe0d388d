"""Symmetry: crystals whose site and point groups are known, and forces that confirm them."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from uqbench.data.symmetry import free_components


def test_fcc_supercell_forces_vanish_and_stress_is_diagonal():
    forces, stress = free_components(bulk("Cu", "fcc", 3.6, cubic=True) * (2, 1, 1))
    assert not forces.any()
    assert stress.tolist() == [True, True, True, False, False, False]


def test_vacancy_cell_has_the_force_pattern_of_its_shells():
    """Neighbours of the vacancy at [110]/2 are pushed along [110] (mm2), those at [100] along [100] (4mm)."""
    atoms = bulk("Cu", "fcc", 3.6, cubic=True) * (2, 2, 2)
    centre = atoms.positions[0].copy()
    del atoms[0]
    forces, stress = free_components(atoms)
    step = atoms.positions - centre
    step -= np.round(step / 7.2) * 7.2
    nearest = np.isclose(np.linalg.norm(step, axis=1), 3.6 / np.sqrt(2))
    assert nearest.sum() == 12
    np.testing.assert_array_equal(forces[nearest], np.abs(step[nearest]) > 0.1)
    # Second neighbours lie on the cell's border, at the midpoint between two images of the vacancy.
    assert not forces[np.isclose(np.linalg.norm(step, axis=1), 3.6)].any()
    assert stress.tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize("seed", range(3))
def test_masked_forces_of_a_potential_are_zero_and_free_ones_are_not(seed):
    """Displacing one atom along [100] leaves 4mm about that axis."""
    atoms = bulk("Cu", "fcc", 3.6, cubic=True) * (2, 2, 2)
    axis = seed
    atoms.positions[5, axis] += 0.2
    forces, _ = free_components(atoms)
    atoms.calc = EMT()
    computed = atoms.get_forces()
    assert 0 < (~forces).sum() < forces.size
    assert np.abs(computed[~forces]).max() < 1e-10
    assert forces[5].tolist() == [k == axis for k in range(3)]


def test_rattled_and_rotated_crystals_are_free():
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    rattled = atoms.copy()
    rattled.rattle(0.01, seed=0)
    forces, stress = free_components(rattled)
    assert forces.all()
    assert stress.all()
    # Tetragonal, rotated off the axes: the tensor keeps its symmetry, its components do not vanish.
    turned = atoms.copy()
    turned.set_cell(turned.cell.array @ np.diag([1, 1, 1.05]), scale_atoms=True)
    assert free_components(turned)[1].sum() == 3
    turned.rotate(30, (1, 2, 3), rotate_cell=True)
    forces, stress = free_components(turned)
    assert not forces.any()
    assert stress.all()


def test_shear_frees_one_component():
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    shear = np.eye(3)
    shear[0, 1] = shear[1, 0] = 0.01
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    assert free_components(atoms)[1].tolist() == [True, True, True, False, False, True]


def test_a_fourfold_axis_alone_makes_the_stress_uniaxial():
    """Laue class 4/m has no mirror to flip xy; the rotation takes it to its negative."""
    around = [[0.12, 0.27], [-0.27, 0.12], [-0.12, -0.27], [0.27, -0.12]]
    places = [[0, 0, 0], *([x, y, 0] for x, y in around)]
    atoms = Atoms("AuCu4", scaled_positions=places, cell=[6, 6, 4], pbc=True)
    forces, stress = free_components(atoms)
    assert stress.tolist() == [True, True, True, False, False, False]
    assert forces.tolist() == [[False] * 3] + [[True, True, False]] * 4


def test_diamond_with_internal_shift_keeps_the_threefold_axis():
    """A force along [111] has three components, none of them zero."""
    atoms = bulk("Si", "diamond", 5.43)
    atoms.positions[1] += 0.05
    forces, _ = free_components(atoms)
    assert forces.all()


def test_molecules():
    water = molecule("H2O")
    forces, stress = free_components(water)
    oxygen = [a.symbol for a in water].index("O")
    assert forces[oxygen].tolist() == [False, False, True]
    assert not forces[:, 0].any()
    assert stress.all()
    dimer = Atoms("N2", [[0, 0, 0], [0, 0, 1.1]])
    assert free_components(dimer)[0].tolist() == [[False, False, True]] * 2
    tilted = Atoms("N2", [[0, 0, 0], [0.5, 0.6, 0.7]])
    assert free_components(tilted)[0].all()
    assert not free_components(Atoms("N"))[0].any()


def test_slab_without_cell_along_its_normal():
    atoms = Atoms("Cu", [[0, 0, 0]], cell=[2.5, 2.5, 0], pbc=[True, True, False])
    assert not free_components(atoms)[0].any()
    two = Atoms("Cu2", [[0, 0, 0], [1.25, 1.25, 1.7]], cell=[2.5, 2.5, 0], pbc=[True, True, False])
    assert free_components(two)[0].tolist() == [[False, False, True]] * 2
