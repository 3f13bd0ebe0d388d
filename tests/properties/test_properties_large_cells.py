"""Fewer evaluations by symmetry, and no tables at all: both against tables by brute force."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from ase.build import bulk
from toy_crystals import FCC, fcc_model, shifted

from uqbench.api import LinearBackbone
from uqbench.properties import conjugate
from uqbench.properties.conjugate import conjugate_expansion
from uqbench.properties.coordinates import Positions, PositionsAndCell
from uqbench.properties.crystal import Crystal
from uqbench.properties.energies import EnergySum, Term
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
    return Expansion.within(BACKBONE, AL, Positions.free(askew))


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
    found = conjugate_expansion(counted, AL, Positions.free(askew), samples, tolerance=1e-8).newton(samples)
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
        tables = conjugate_expansion(BACKBONE, AL, Positions.free(askew), samples, tolerance, block=4)
        found = tables.newton(samples).energy
        assert (found > exact - 1e-9).all()
        assert (found - exact).max() < tolerance


def test_symmetric_cells_need_no_more_directions_than_their_symmetry_leaves(vacancy):
    """Forces and steps lie in the symmetric displacements: there the method ends, and is exact."""
    counted, samples = Counted(), shifted(THETA, 1e-3, 6)
    found = conjugate_expansion(counted, AL, Positions.free(vacancy), samples, 1e-12).newton(samples)
    size = Positions.symmetric(vacancy).basis.shape[1]
    assert counted.count["rows"] <= 2 + 2 * size
    exact = Expansion.within(BACKBONE, AL, Positions.symmetric(vacancy)).newton(samples)
    np.testing.assert_allclose(found.energy, exact.energy, atol=1e-9)


def test_unstable_samples_are_seen_and_the_others_still_solved(askew):
    samples = np.stack([THETA, -THETA])
    found = conjugate_expansion(BACKBONE, AL, Positions.free(askew), samples).newton(samples)
    np.testing.assert_array_equal(found.stable, [True, False])
    np.testing.assert_array_equal(np.isfinite(found.energy), found.stable)


@pytest.fixture(scope="module")
def defects():
    """104 atoms and four vacancies that no operation takes onto each other, at rest."""
    atoms = Crystal("fcc", "Al", 3.9733, (3, 3, 3)).perfect()
    del atoms[[0, 7, 29, 62]]
    return relax(atoms, BACKBONE.potential(THETA, AL), 1e-9, 300).atoms


def test_a_large_cell_without_symmetry_goes_through_its_own_directions(defects, monkeypatch):
    """A property that relaxes it takes a fifth of the full table's evaluations, behind the same gate."""
    samples = shifted(THETA, 2e-3, 6)
    quantity = EnergySum("e", "eV", (Term(1.0, defects, "positions"),))
    counted = Counted()
    monkeypatch.setattr(conjugate, "LARGEST_TABLE", 0)
    found = quantity.propagator(counted, AL, THETA, samples)(samples)
    assert counted.count["rows"] < 0.2 * (1 + 2 * 309)
    assert found.accepted.all()
    real = [relax(defects, BACKBONE.potential(theta, AL)).energy for theta in samples]
    unrelaxed = samples @ (104 * next(iter(BACKBONE.rows([defects], AL)))[0])
    assert (unrelaxed - real > 1e-5).all()
    np.testing.assert_allclose(found.of("e"), real, atol=3e-6)


def test_the_cell_moves_along_conjugate_directions_too(askew):
    samples = shifted(THETA, 1e-3, 3)
    coordinates = PositionsAndCell.free(askew)
    found = conjugate_expansion(BACKBONE, AL, coordinates, samples, 1e-9).newton(samples)
    exact = Expansion.within(BACKBONE, AL, coordinates).newton(samples)
    np.testing.assert_allclose(found.energy, exact.energy, atol=1e-8)
    np.testing.assert_allclose(found.strain, exact.strain, atol=1e-3 * np.abs(exact.strain).max())


def test_what_does_not_converge_says_how_much_may_be_left(askew, monkeypatch):
    monkeypatch.setattr(conjugate, "MOST_DIRECTIONS", 8)
    with pytest.raises(NotConvergedError, match=r"eV may be left after 8 directions; 1e-10 eV"):
        conjugate_expansion(BACKBONE, AL, Positions.free(askew), shifted(THETA, 1e-3, 2), tolerance=1e-10)
