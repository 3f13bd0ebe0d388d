"""Fewer evaluations by symmetry, and no tables at all: both against tables by brute force."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from ase.build import bulk
from toy_crystals import FCC, fcc_model, shifted

from uqbench.api import LinearBackbone
from uqbench.properties import conjugate
from uqbench.properties.conjugate import conjugate_newton, second_order
from uqbench.properties.coordinates import Positions, PositionsAndCell
from uqbench.properties.crystal import Crystal
from uqbench.properties.displacements import free_displacements
from uqbench.properties.failures import NotConvergedError
from uqbench.properties.implicit import Expansion
from uqbench.properties.relax import relax
from uqbench.properties.second_order import along_basis, by_symmetry, irreducible_moves, tables

AL = ("Al",)
BACKBONE, THETA = fcc_model()


@dataclass(frozen=True)
class Counted(LinearBackbone):
    """The toy model, counting the rows that are asked for."""

    count: Counter = field(default_factory=Counter)

    def n_features(self, elements):
        return BACKBONE.n_features(elements)

    def rows(self, structures, elements):
        self.count["rows"] += len(structures)
        return BACKBONE.rows(structures, elements)

    def potential(self, coefficients, elements):
        return BACKBONE.potential(coefficients, elements)


@pytest.fixture(scope="module")
def vacancy():
    """31 atoms at rest."""
    return relax(FCC.at(3.9733).vacancy(), BACKBONE.potential(THETA, AL), 1e-9, 200).atoms


@pytest.fixture(scope="module")
def askew(vacancy):
    """31 atoms without symmetry, near rest."""
    atoms = vacancy.copy()
    atoms.rattle(0.02, seed=3)
    return atoms


@pytest.fixture(scope="module")
def askew_tables(askew):
    return Expansion.about(BACKBONE, AL, askew, free_displacements(31))


def test_tables_by_symmetry_equal_those_by_brute_force(vacancy):
    """All 93 by 93 entries of each feature to 1e-8 of the largest, from 5 moves instead of 90."""
    coordinates = Positions.free(vacancy)
    moves = irreducible_moves(vacancy)
    assert moves.count == 5
    found, brute = by_symmetry(BACKBONE, AL, coordinates, moves), along_basis(BACKBONE, AL, coordinates)
    for ours, theirs in zip(found, brute, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * np.abs(theirs).max())


@pytest.mark.parametrize("structure", ["hcp", "bcc", "diamond"])
def test_other_crystals_and_strains_have_the_same_tables(structure):
    """Skew axes, screw axes, one and two sublattices, with and without a vacancy, the cell free."""
    lattice = {"a": 2.8, "c": 4.5} if structure == "hcp" else {"a": 3.2 if structure == "bcc" else 5.3}
    perfect = bulk("Al", structure, **lattice).repeat((2, 2, 2))
    defect = perfect[1:]
    for atoms in (perfect, defect):
        coordinates = PositionsAndCell.free(atoms)
        found = by_symmetry(BACKBONE, AL, coordinates, irreducible_moves(atoms))
        brute = along_basis(BACKBONE, AL, coordinates)
        for ours, theirs in zip(found, brute, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7 * np.abs(theirs).max())


def test_the_way_with_fewer_evaluations_is_taken(vacancy, askew):
    for coordinates, expected in (
        (Positions.free(vacancy), 1 + 2 * 5),
        (PositionsAndCell.free(vacancy), 1 + 2 * (5 + 6)),
        (Positions.symmetric(vacancy), 1 + 2 * Positions.symmetric(vacancy).basis.shape[1]),
        (Positions.free(askew), 1 + 2 * 90),
    ):
        counted = Counted()
        tables(counted, AL, coordinates)
        assert counted.count["rows"] == expected


@pytest.mark.parametrize(("n", "most"), [(3, 15), (4, 25)])
def test_moves_of_large_vacancy_cells_are_few(n, most):
    """107 and 255 atoms: half a hundred evaluations where brute force takes 1,530."""
    moves = irreducible_moves(Crystal("fcc", "Al", 4.0, (n, n, n)).vacancy())
    assert moves.count < most
    assert moves.shifts(3 * moves.images.shape[1]).shape == (moves.count, 3 * moves.images.shape[1])


def test_conjugate_gradients_equal_the_tables(askew, askew_tables):
    """Relaxation energies to 1e-6, displacements to 1e-3, at each sample's own H(θ), by fewer evaluations."""
    samples = shifted(THETA, 1e-3, 6)
    exact = askew_tables.newton(samples)
    counted = Counted()
    found = conjugate_newton(counted, AL, askew, samples, tolerance=1e-8)
    unrelaxed = 31 * next(iter(BACKBONE.rows([askew], AL)))[0] @ samples.T
    relaxation = unrelaxed - exact.energy
    assert (relaxation > 0.01).all()
    np.testing.assert_allclose(unrelaxed - found.energy, relaxation, rtol=1e-6)
    scale = np.abs(exact.displacement).max()
    np.testing.assert_allclose(found.displacement, exact.displacement, atol=1e-3 * scale)
    assert found.stable.all()
    assert counted.count["rows"] < 181


def test_the_error_that_may_be_left_is_a_bound(askew, askew_tables):
    samples = shifted(THETA, 1e-3, 6)
    exact = askew_tables.newton(samples).energy
    for tolerance in (1e-3, 1e-5):
        found = conjugate_newton(BACKBONE, AL, askew, samples, tolerance, block=4).energy
        assert (found > exact - 1e-9).all()
        assert (found - exact).max() < tolerance


def test_symmetric_cells_need_no_more_directions_than_their_symmetry_leaves(vacancy):
    """Forces and steps lie in the symmetric displacements: there the method ends, and is exact."""
    counted, samples = Counted(), shifted(THETA, 1e-3, 6)
    found = conjugate_newton(counted, AL, vacancy, samples, tolerance=1e-12)
    size = Positions.symmetric(vacancy).basis.shape[1]
    assert counted.count["rows"] <= 1 + 2 * size
    exact = Expansion.within(BACKBONE, AL, Positions.symmetric(vacancy)).newton(samples)
    np.testing.assert_allclose(found.energy, exact.energy, atol=1e-9)


def test_unstable_samples_are_seen_and_the_others_still_solved(askew):
    samples = np.stack([THETA, -THETA])
    found = conjugate_newton(BACKBONE, AL, askew, samples)
    np.testing.assert_array_equal(found.stable, [True, False])
    np.testing.assert_array_equal(np.isfinite(found.energy), found.stable)


def test_tables_are_used_up_to_their_limit(monkeypatch):
    atoms, samples = Crystal("fcc", "Al", 3.97, (2, 2, 1)).vacancy(), shifted(THETA, 1e-3, 2)
    atoms.rattle(0.02, seed=3)
    by_tables = second_order(BACKBONE, AL, atoms, samples)
    monkeypatch.setattr(conjugate, "LARGEST_TABLE", 8 * 5 * 42**2 - 1)
    counted = Counted()
    found = second_order(counted, AL, atoms, samples)
    assert 1 + 2 * 8 < counted.count["rows"] < 1 + 2 * 42
    np.testing.assert_allclose(found.energy, by_tables.energy, atol=1e-6)


def test_what_does_not_converge_says_how_much_may_be_left(askew, monkeypatch):
    monkeypatch.setattr(conjugate, "MOST_DIRECTIONS", 8)
    with pytest.raises(NotConvergedError, match=r"eV may be left after 8 directions; 1e-10 eV"):
        conjugate_newton(BACKBONE, AL, askew, shifted(THETA, 1e-3, 2), tolerance=1e-10)
