"""Lattice and elastic constants against lattice sums, an equation of state, finite strains and published values."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from ase.calculators.tersoff import Tersoff, TersoffParameters
from ase.eos import EquationOfState
from ase.units import GPa
from finite_strain import finite_strain_slopes
from toy_crystals import DIAMOND, FCC, diamond_model, fcc_model

from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.lattice import (
    cubic_constants,
    lattice_constant,
    strained,
    stress_slopes,
)

SIGMA, EPSILON, REACH = 2.5, 0.1, 3.2


def lennard_jones():
    return LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=REACH * SIGMA, smooth=False)


def lattice_sums(a):
    """(mean stress, C11, C12, C44) of fcc Lennard-Jones by direct sums over sites, eV/Å³."""
    n = 12
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3), axis=-1).reshape(-1, 3)
    sites = steps[(steps.sum(axis=1) % 2 == 0) & (np.abs(steps).sum(axis=1) > 0)] * a / 2
    r = np.linalg.norm(sites, axis=1)
    sites, r = sites[r < REACH * SIGMA], r[r < REACH * SIGMA]
    s6 = (SIGMA / r) ** 6
    first = 4 * EPSILON * (-12 * s6**2 + 6 * s6) / r
    second = 4 * EPSILON * (156 * s6**2 - 42 * s6) / r**2
    x, y = sites[:, 0], sites[:, 1]
    volume = a**3 / 4
    weight = (second - first / r) / r**2 / (2 * volume)
    return ((first * r).sum() / (6 * volume), (weight * x**4).sum(), *[(weight * x**2 * y**2).sum()] * 2)


def test_lennard_jones_fcc_equals_its_lattice_sums():
    """Zero stress and C_ij from sums over sites; a pair potential without stress has C12 = C44 (Cauchy)."""
    found = cubic_constants(Crystal("fcc", "Ar", 1.545 * SIGMA), lennard_jones())
    stress, c11, c12, c44 = lattice_sums(found["lattice_constant"])
    assert stress == pytest.approx(0.0, abs=1e-10)
    assert found["C11"] == pytest.approx(c11 / GPa, rel=1e-6)
    assert found["C12"] == pytest.approx(c12 / GPa, rel=1e-6)
    assert found["C44"] == pytest.approx(c44 / GPa, rel=1e-6)
    # Cut off at 3.2 σ the crystal is within 1 % of the untruncated one, 2^(1/2) (2 · 12.13188/14.45392)^(1/6) σ.
    assert found["lattice_constant"] == pytest.approx(1.5418 * SIGMA, rel=0.01)


@pytest.mark.parametrize(("crystal", "model"), [(FCC, fcc_model), (DIAMOND, diamond_model)])
def test_lattice_constant_and_bulk_modulus_equal_an_equation_of_state(crystal, model):
    backbone, theta = model()
    calculator = backbone.potential(theta, (crystal.symbol,))
    found = cubic_constants(crystal, calculator)
    volumes, energies = [], []
    for scale in np.linspace(0.997, 1.003, 9):
        atoms = crystal.at(found["lattice_constant"] * scale).primitive()
        atoms.calc = calculator
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    volume, _, bulk = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    assert (4 * volume) ** (1 / 3) == pytest.approx(found["lattice_constant"], rel=1e-5)
    assert bulk / GPa == pytest.approx(found["bulk_modulus"], rel=2e-3)


def test_relaxed_slopes_of_diamond_equal_finite_strains_with_real_relaxations():
    """Internal relaxation halves C44 here; leaving it out, or its sign wrong, would show."""
    backbone, theta = diamond_model()
    calculator = backbone.potential(theta, ("Si",))
    atoms = DIAMOND.at(lattice_constant(DIAMOND, calculator)).primitive()
    clamped, relaxed = stress_slopes(atoms, calculator, range(6))
    amplitudes = (-1e-3, -5e-4, 5e-4, 1e-3)
    finite = finite_strain_slopes(atoms, calculator, range(6), amplitudes)
    np.testing.assert_allclose(relaxed, finite, rtol=1e-3, atol=1e-3 * relaxed.max())
    assert relaxed[3, 3] == pytest.approx(finite[3, 3], rel=1e-3)
    assert relaxed[3, 3] < 0.7 * clamped[3, 3]
    assert relaxed[0, 0] == pytest.approx(clamped[0, 0], rel=1e-6)


def test_tersoff_silicon_has_the_published_constants():
    """Balamane, Halicioglu & Tiller, Phys. Rev. B 46, 2250 (1992), potential T3."""
    silicon = TersoffParameters(
        3.0,
        1.0,
        0.0,
        100390.0,
        16.217,
        -0.59825,
        0.78734,
        1.1e-6,
        1.73222,
        471.18,
        2.85,
        0.15,
        2.4799,
        1830.8,
    )
    found = cubic_constants(Crystal("diamond", "Si", 5.43), Tersoff({("Si", "Si", "Si"): silicon}))
    assert found["lattice_constant"] == pytest.approx(5.432, abs=1e-3)
    published = {"bulk_modulus": 98, "C11": 143, "C12": 75, "C44": 69, "C44_unrelaxed": 119}
    assert {name: round(found[name]) for name in published} == pytest.approx(published, abs=1)


def test_slopes_under_stress_are_second_derivatives_of_the_energy():
    """B11 = K11/V, B12 = K12/V - σ, B44 = K44/V + σ/2 with tension σ, K by differences of energies."""
    backbone, theta = fcc_model()
    calculator = backbone.potential(theta, ("Al",))
    atoms = FCC.at(4.05).primitive()
    atoms.calc = calculator
    tension, volume = atoms.get_stress()[:3].mean(), atoms.get_volume()
    assert tension > 0.01
    h = 1e-3

    def curvature(i, j):
        def energy(*signs):
            strain = np.zeros(6)
            for axis, sign in zip((i, j), signs, strict=True):
                strain[axis] += sign * h
            moved = strained(atoms, strain)
            moved.calc = calculator
            return moved.get_potential_energy()

        return (energy(1, 1) - energy(1, -1) - energy(-1, 1) + energy(-1, -1)) / (4 * h * h) / volume

    slopes, _ = stress_slopes(atoms, calculator, (0, 3))
    assert slopes[0, 0] == pytest.approx(curvature(0, 0), rel=1e-3)
    assert slopes[1, 0] == pytest.approx(curvature(0, 1) - tension, rel=1e-3)
    assert slopes[3, 1] == pytest.approx(curvature(3, 3) + tension / 2, rel=1e-3)


def test_unstable_crystals_are_named():
    backbone, theta = fcc_model()
    calculator = backbone.potential(theta, ("Al",))
    with pytest.raises(UnstableError, match=r"does not vanish within 5%.*3\.3"):
        lattice_constant(FCC.at(3.3), calculator)
    # Upside down the lattice constant is an energy maximum, which is none.
    with pytest.raises(UnstableError, match="does not vanish"):
        lattice_constant(FCC, backbone.potential(-theta, ("Al",)))
    # As bcc, a close-packed pair potential gives way along Bain's path.
    with pytest.raises(UnstableError, match="bcc Al: unstable against strain: C11 - C12 = -"):
        cubic_constants(Crystal("bcc", "Al", 3.2), calculator)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"structure": "hcp"}, "'hcp'"), ({"a": -1.0}, "-1.0"), ({"supercell": (2, 0, 2)}, r"\(2, 0, 2\)")],
)
def test_crystals_that_cannot_be_are_refused(change, words):
    with pytest.raises(UqbenchError, match=words):
        Crystal(**({"structure": "fcc", "symbol": "Al", "a": 4.0} | change))
