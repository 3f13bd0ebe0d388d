"""The toy backbone against ASE's neighbour list, finite differences and supercells."""

import dataclasses

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.neighborlist import neighbor_list

from uqbench.check.backbone import CHECKS
from uqbench.check.toy_backbone import ToyPairs, directed_pairs
from uqbench.check.toy_data import ELEMENTS, toy_frames, unseen_structures
from uqbench.errors import UqbenchError

STRUCTURES = [*unseen_structures(), *(f.atoms for f in toy_frames()[-3:])]


def rows_of(atoms, elements=ELEMENTS):
    return next(ToyPairs().rows([atoms], elements))


@pytest.mark.parametrize("atoms", STRUCTURES, ids=str)
@pytest.mark.parametrize("outside", [False, True])
def test_pairs_are_those_of_ase(atoms, outside):
    atoms = atoms.copy()
    if outside:
        atoms.positions[0] += atoms.pbc @ (3 * atoms.cell.array)
    i, j, vector = directed_pairs(atoms, 5.0)
    wanted = np.column_stack(neighbor_list("ijD", atoms, 5.0))
    order = [np.lexsort(np.round(a, 6).T) for a in (np.column_stack([i, j, vector]), wanted)]
    np.testing.assert_allclose(np.column_stack([i, j, vector])[order[0]], wanted[order[1]], atol=1e-9)


@pytest.mark.parametrize("atoms", STRUCTURES, ids=str)
def test_potential_has_the_forces_and_stress_of_its_energy(atoms):
    theta = np.random.default_rng(0).standard_normal(ToyPairs().n_features(ELEMENTS))
    atoms = atoms.copy()
    atoms.calc = ToyPairs().potential(theta, ELEMENTS)
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, eps=1e-4), atol=1e-7)
    if atoms.pbc.all():
        numerical = calculate_numerical_stress(atoms, eps=1e-5)
        np.testing.assert_allclose(atoms.get_stress(), numerical, atol=1e-8)


def test_energy_is_the_sum_over_pairs():
    """A dimer by hand: constants of both elements, and the radial functions of their pair."""
    from ase import Atoms

    r = 2.5
    energy = 2 * rows_of(Atoms("CuAu", [[0, 0, 0], [r, 0, 0]]))[0]
    radial = (1 - r / 5.0) ** np.array([3, 4, 5])
    np.testing.assert_allclose(energy, [1, 1, 0, 0, 0, *radial, 0, 0, 0])


def test_supercell_has_the_same_energy_per_atom_and_stress():
    atoms = unseen_structures()[0]
    one, many = rows_of(atoms), rows_of(atoms * (2, 1, 3))
    np.testing.assert_allclose(many[0], one[0], rtol=1e-10)
    np.testing.assert_allclose(many[-6:], one[-6:], rtol=1e-9, atol=1e-12)


def test_unseen_element_is_refused():
    with pytest.raises(UqbenchError, match="no feature for Cu"):
        rows_of(unseen_structures()[0], ("Au", "Ni"))


@dataclasses.dataclass(frozen=True)
class Wrong(ToyPairs):
    """Rows that the test changes; anything goes for elements where `lenient`."""

    change: object = None
    lenient: bool = False

    def rows(self, structures, elements):
        for atoms in structures:
            known = atoms.copy()
            if self.lenient:
                known.symbols[:] = elements[0]
            yield self.change(ToyPairs._rows(self, known, elements), atoms)


def flipped_stress(rows, atoms):
    rows[1 + 3 * len(atoms) :] *= -1
    return rows


def other_order(rows, atoms):
    if atoms.pbc.all():
        rows[-3:] = rows[[-1, -2, -3]]
    return rows


def total_energy(rows, atoms):
    rows[0] *= len(atoms)
    return rows


def moves_atoms(rows, atoms):
    atoms.positions += 0.1
    return rows


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (flipped_stress, "energy, forces and stress of one potential", "stress rows of column .* sign, unit"),
        (other_order, "energy, forces and stress of one potential", "stress rows of column"),
        (total_energy, "energy, forces and stress of one potential", "force rows of column"),
        (total_energy, "potential", "differs from rows times coefficients"),
        (lambda rows, atoms: rows[:-1], "shapes", r"shape \(18, 11\); float64 and \(19, 11\)"),
        (lambda rows, atoms: rows.astype(np.float32), "shapes", "type float32"),
        (lambda rows, atoms: rows * np.nan, "shapes", "not finite"),
        (moves_atoms, "none, one or many structures", "changes the structure"),
    ],
)
def test_a_bad_backbone_is_told_what_is_wrong(change, what, words):
    with pytest.raises(Exception, match=words):
        CHECKS[what](Wrong(change=change))


def test_a_backbone_that_guesses_at_elements_is_told():
    with pytest.raises(Exception, match="raise UqbenchError"):
        CHECKS["unseen element"](Wrong(change=lambda rows, atoms: rows, lenient=True))


def test_the_toy_backbone_keeps_its_own_contract():
    for check in CHECKS.values():
        check(ToyPairs())
