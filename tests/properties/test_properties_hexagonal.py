"""Hexagonal crystals: parameters and constants against finite strains, symmetry and an equation of state."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from ase.eos import EquationOfState
from ase.units import GPa
from finite_strain import finite_strain_slopes
from scipy.optimize import minimize_scalar
from toy_crystals import FCC, fcc_model

from uqbench.errors import UqbenchError
from uqbench.properties.failures import UnstableError
from uqbench.properties.hexagonal import (
    Hexagonal,
    elastic_constants,
    lattice_parameters,
    violated_hexagonal,
)
from uqbench.properties.lattice import cubic_constants, stress_slopes

SIGMA = 2.5
START = Hexagonal("X", 1.09 * SIGMA, 1.78 * SIGMA)


@pytest.fixture(scope="module")
def crystal():
    """Lennard-Jones hcp, cut off between shells: constants, potential, and the crystal at rest."""
    potential = LennardJones(sigma=SIGMA, epsilon=0.1, rc=2.35 * SIGMA)
    return elastic_constants(START, potential), potential, lattice_parameters(START, potential)


def test_lattice_parameters_are_where_the_energy_is_least(crystal):
    found, potential, at_rest = crystal
    assert (found["lattice_constant"], found["lattice_constant_c"]) == (at_rest.a, at_rest.c)
    cell = at_rest.primitive()
    cell.calc = potential
    assert np.abs(cell.get_stress()).max() < 1e-9

    def energy(a, c):
        there = at_rest.at(a, c).primitive()
        there.calc = potential
        return there.get_potential_energy()

    a, c, h = at_rest.a, at_rest.c, 1e-3
    for low, high in ((energy(a - h, c), energy(a + h, c)), (energy(a, c - h), energy(a, c + h))):
        assert low > energy(a, c) < high
        assert (high - low) / (high + low - 2 * energy(a, c)) == pytest.approx(0.0, abs=0.02)
    # Almost, but not quite, close-packed spheres.
    assert 1e-5 < abs(c / a / np.sqrt(8 / 3) - 1) < 0.01


def test_constants_equal_finite_strains_with_real_relaxations(crystal):
    """To 0.1 %, all six strains: what the five constants leave out are C66 and zeros."""
    found, potential, at_rest = crystal
    c11, c12, c13, c33, c44 = (found[name] for name in ("C11", "C12", "C13", "C33", "C44"))
    expected = np.diag([c11, c11, c33, c44, c44, (c11 - c12) / 2])
    expected[0, 1] = expected[1, 0] = c12
    expected[:2, 2] = expected[2, :2] = c13
    amplitudes = (-1e-3, -5e-4, 5e-4, 1e-3)
    finite = finite_strain_slopes(at_rest.primitive(), potential, range(6), amplitudes) / GPa
    np.testing.assert_allclose(finite, expected, rtol=1e-3, atol=1e-3 * c44)


def test_the_basal_plane_is_isotropic_only_with_relaxed_atoms(crystal):
    """C66 = (C11 - C12)/2, clamped and relaxed; relaxation lowers it."""
    _, potential, at_rest = crystal
    clamped, relaxed = stress_slopes(at_rest.primitive(), potential, (0, 5))
    for slopes in (clamped, relaxed):
        assert slopes[5, 1] == pytest.approx((slopes[0, 0] - slopes[1, 0]) / 2, rel=1e-5)
    assert relaxed[5, 1] < 0.99 * clamped[5, 1]


def test_bulk_modulus_is_that_of_an_equation_of_state_with_c_over_a_relaxed(crystal):
    found, potential, at_rest = crystal
    volumes, energies = [], []
    for scale in np.linspace(0.99, 1.01, 9):

        def energy(ratio, scale=scale):
            a = at_rest.a * scale * ratio ** (-1 / 3)
            there = at_rest.at(a, at_rest.c * scale * ratio ** (2 / 3)).primitive()
            there.calc = potential
            return there.get_potential_energy()

        energies.append(minimize_scalar(energy, bracket=(0.99, 1.01), tol=1e-8).fun)
        volumes.append(at_rest.primitive().get_volume() * scale**3)
    _, _, bulk = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    assert bulk / GPa == pytest.approx(found["bulk_modulus"], rel=5e-3)


def test_cubic_crystals_have_their_own_constants():
    backbone, theta = fcc_model()
    potential = backbone.potential(theta, ("Al",))
    assert elastic_constants(FCC, potential) == cubic_constants(FCC, potential)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"C12": 60.0}, "C11 - C12 = -10"),
        ({"C12": -60.0}, r"C11 \+ C12 = -10"),
        ({"C13": 50.0}, r"2 C13² = -1\.22e\+03"),
        ({"C44": -1.0}, "C44 = -1"),
    ],
)
def test_borns_criteria_are_named_one_by_one(change, named):
    """Each is the sign of an eigenvalue of the matrix of constants."""
    stable = {"C11": 50.0, "C12": 20.0, "C13": 15.0, "C33": 54.0, "C44": 10.0}
    assert violated_hexagonal(START, stable) == ""
    constants = stable | change
    with pytest.raises(UnstableError, match=named):
        raise UnstableError(violated_hexagonal(START, constants))
    matrix = np.diag([constants[n] for n in ("C11", "C11", "C33", "C44")])
    matrix[0, 1] = matrix[1, 0] = constants["C12"]
    matrix[:2, 2] = matrix[2, :2] = constants["C13"]
    assert np.linalg.eigvalsh(matrix)[0] < 0


def test_crystals_that_cannot_be_or_are_elsewhere_are_refused(crystal):
    with pytest.raises(UqbenchError, match=r"Hexagonal\.c is -1\.0"):
        Hexagonal("X", 2.7, -1.0)
    _, potential, at_rest = crystal
    with pytest.raises(UnstableError, match=r"relaxes to a = 2\.\d+ Å.*more than 5%"):
        lattice_parameters(at_rest.at(1.06 * at_rest.a, at_rest.c), potential)
