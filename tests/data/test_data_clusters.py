"""Clusters: copies of every kind are found, different structures are kept apart."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell, molecule
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from uqbench.data.clusters import COPY, SAME_DISTANCE, find_clusters, fingerprint
from uqbench.data.neighbours import nearest_distances


def cluster(structures, energies=None, labels=None):
    n = len(structures)
    return find_clusters(structures, energies or [None] * n, labels or [None] * n).tolist()


def alloy(seed=0):
    """A triclinic cell with two elements and no symmetry."""
    rng = np.random.default_rng(seed)
    cell = np.diag([4.0, 4.5, 5.0]) + rng.uniform(-0.5, 0.5, (3, 3))
    places = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Atoms("CuZnCuZn", scaled_positions=places + rng.uniform(-0.05, 0.05, (4, 3)), cell=cell, pbc=True)


def copies(atoms, seed=1):
    rng = np.random.default_rng(seed)
    rotated = atoms.copy()
    rotated.rotate(*rng.uniform(-180, 180, 1), rng.normal(size=3), rotate_cell=True)
    moved = atoms.copy()
    moved.positions += rng.normal(size=3)
    moved.wrap()
    mirrored = Atoms(
        atoms.numbers, atoms.positions * [1, 1, -1], cell=atoms.cell.array * [1, 1, -1], pbc=atoms.pbc
    )
    out = {
        "rotated": rotated,
        "moved": moved,
        "mirrored": mirrored,
        "permuted": atoms[rng.permutation(len(atoms))],
    }
    if atoms.pbc.all():
        out["supercell"] = atoms * (1, 3, 2)
        out["other cell"] = make_supercell(atoms, [[1, 1, 0], [0, 1, 0], [0, 1, 1]])
    return out


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_distances_equal_those_of_ase(seed):
    atoms = alloy(seed)
    i, d = neighbor_list("id", atoms, 5.0)
    ours = nearest_distances(atoms, 400, 5.0)
    for k in range(len(atoms)):
        theirs = np.sort(d[i == k])
        np.testing.assert_allclose(ours[k, : len(theirs)], theirs, atol=1e-9)
        assert (ours[k, len(theirs) :] == 5.0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_fingerprint_is_invariant(seed):
    atoms = alloy(seed)
    for name, copy in copies(atoms, seed).items():
        np.testing.assert_allclose(fingerprint(copy), fingerprint(atoms), atol=1e-8, err_msg=name)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_fingerprint_changes_by_at_most_twice_the_displacement(seed):
    atoms, rng = alloy(seed), np.random.default_rng(seed)
    step = rng.normal(size=(4, 3))
    step *= 0.03 / np.linalg.norm(step, axis=1)[:, None]
    moved = atoms.copy()
    moved.positions += step
    assert np.abs(fingerprint(moved) - fingerprint(atoms)).max() <= 0.06 + 1e-9


@pytest.mark.parametrize("atoms", [alloy(), molecule("CH3CH2OH"), bulk("Cu", "fcc", 3.6)], ids=str)
def test_all_copies_share_a_cluster_and_another_structure_does_not(atoms):
    other = atoms.copy()
    other.rattle(0.05, seed=3)
    if len(other) == 1:
        other.set_cell(other.cell.array * 1.01, scale_atoms=True)
    family = list(copies(atoms).values())
    assert cluster([atoms, *family, other]) == [0] * (1 + len(family)) + [1]


def test_near_duplicates_and_chains():
    """Steps below the tolerance link; the ends are far apart and still one cluster."""
    chain = []
    for k in range(6):
        atoms = alloy()
        atoms.positions[0, 0] += 0.8 * k * SAME_DISTANCE
        chain.append(atoms)
    assert np.abs(fingerprint(chain[0]) - fingerprint(chain[-1])).max() > SAME_DISTANCE
    assert cluster(chain, [0.0] * 6) == [0] * 6
    assert cluster([chain[0], chain[-1]]) == [0, 1]
    # All distances longer at once: the mean moves as much as the entries.
    larger = alloy()
    larger.set_cell(larger.cell.array * (1 + 0.15 * SAME_DISTANCE), scale_atoms=True)
    assert np.ptp(fingerprint(larger) - fingerprint(alloy())) < 0.9 * SAME_DISTANCE
    assert cluster([alloy(), larger]) == [0, 0]


def test_energy_separates_what_the_fingerprint_cannot_but_not_copies():
    atoms, near = alloy(), alloy()
    near.positions[0, 0] += 0.5 * SAME_DISTANCE
    assert np.abs(fingerprint(atoms) - fingerprint(near)).max() > COPY
    assert cluster([atoms, near], [-1.0, -1.0]) == [0, 0]
    assert cluster([atoms, near], [-1.0, -1.1]) == [0, 1]
    assert cluster([atoms, near], [-1.0, None]) == [0, 0]
    assert cluster([atoms, atoms.copy()], [-1.0, -1.1]) == [0, 0]


def test_fcc_is_not_hcp_and_composition_counts():
    fcc = bulk("Cu", "fcc", 2.55 * np.sqrt(2))
    hcp = bulk("Cu", "hcp", 2.55, c=2.55 * np.sqrt(8 / 3))
    assert cluster([fcc, hcp]) == [0, 1]
    assert cluster([fcc, bulk("Ni", "fcc", 2.55 * np.sqrt(2))]) == [0, 1]
    one, two = [[0, 0, 0], [1.1, 0, 0]], [[0, 0, 0], [1.1, 0, 0], [50, 0, 0], [51.1, 0, 0]]
    assert cluster([Atoms("N2", one), Atoms("N4", two)]) == [0, 1]


def test_labels_unite_whatever_the_geometry():
    structures = [alloy(seed) for seed in range(5)]
    assert cluster(structures, labels=["a", None, "b", "a", "b"]) == [0, 1, 2, 0, 2]


def test_pruned_search_equals_all_pairs():
    """Many noisy copies of few structures, against the definition by brute force."""
    rng = np.random.default_rng(0)
    structures = []
    for k in range(240):
        atoms = alloy(k % 10)
        if k >= 40:
            atoms.positions += rng.normal(scale=[0.0, 4e-7, 5e-4, 9e-4][k % 4], size=(4, 3))
        structures.append(atoms)
    prints = np.array([fingerprint(a) for a in structures])
    parent = list(range(240))
    for i in range(240):
        for j in range(i):
            if np.abs(prints[i] - prints[j]).max() <= SAME_DISTANCE:
                old, new = parent[i], parent[j]
                parent = [new if p == old else p for p in parent]
    theirs = [list(dict.fromkeys(parent)).index(p) for p in parent]
    assert cluster(structures, [0.0] * 240) == theirs
