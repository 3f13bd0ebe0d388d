"""Units: exact work of a known potential in the right units, and in wrong ones."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.units import GPa

from uqbench.data.read import RawFrame
from uqbench.data.units import BOHR, HARTREE, KCAL, unit_warnings


@pytest.fixture(scope="module")
def thermal():
    """A dozen rattled copper cells with EMT energies and forces."""
    frames = []
    for seed in range(12):
        atoms = bulk("Cu", "fcc", 3.6, cubic=True)
        atoms.rattle(0.05 + 0.02 * (seed % 3), seed=seed)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = None
        frames.append(RawFrame(atoms, energy, forces, None, "all", {}, f"frame {seed}"))
    return frames


def scaled(frames, energy, forces):
    return [replace(f, energy=f.energy * energy, forces=f.forces * forces) for f in frames]


def test_right_units_pass(thermal):
    assert unit_warnings(thermal) == []


@pytest.mark.parametrize(
    ("energy", "forces", "says"),
    [
        (1 / HARTREE, 1.0, "energies in Ha"),
        (1 / KCAL, 1.0, "energies in kcal/mol"),
        (1.0, BOHR / HARTREE, "forces in Ha/bohr"),
        (1.0, 1 / KCAL, "forces in kcal/mol/Å"),
        (1 / HARTREE, BOHR / HARTREE, "energies in Ha with forces in Ha/bohr"),
        (0.25, 1.0, "energies per atom instead of total"),
        (1.0, -1.0, "wrong sign"),
        (0.0, 1.0, "do not belong together"),
    ],
)
def test_wrong_units_are_named(thermal, energy, forces, says):
    (warning, *_) = [w for w in unit_warnings(scaled(thermal, energy, forces)) if "work" in w]
    assert says in warning


def test_both_in_kcal_show_in_the_forces(thermal):
    forces = 30.0 / KCAL / np.sqrt(np.mean([f.forces**2 for f in thermal]))
    warnings = unit_warnings(scaled(thermal, 1 / KCAL, KCAL * forces))
    assert any("kcal/mol/Å" in w for w in warnings)


def test_spread_decides_where_no_frames_are_neighbours(thermal):
    """Each frame in a cell of its own: no pair to compare."""
    apart = []
    for i, frame in enumerate(thermal):
        atoms = frame.atoms.copy()
        atoms.set_cell(atoms.cell.array * (1 + 1e-3 * i))
        apart.append(replace(frame, atoms=atoms))
    assert unit_warnings(apart) == []
    assert "energies in Ha" in unit_warnings(scaled(apart, 1e-4 / HARTREE, 1.0))[0]
    assert "kcal/mol" in unit_warnings(scaled(apart, 1e3, 1.0))[0]


def test_stress_in_gpa_or_kbar_is_named_with_its_file(thermal):
    def stressed(factor):
        frames = []
        for i, frame in enumerate(thermal[:4]):
            atoms = frame.atoms.copy()
            atoms.calc = EMT()
            stress = factor * atoms.get_stress()
            frames.append(replace(frame, stress=stress, source=f"{'ab'[i % 2]}.xyz, frame {i}"))
        return frames

    assert unit_warnings(stressed(1.0)) == []
    for factor in (1 / GPa, 10 / GPa):
        found = unit_warnings(stressed(factor))
        assert [w.split(": ")[0] for w in found] == ["a.xyz", "b.xyz"]
        assert all("in GPa or kbar?" in w for w in found)
    (warning,) = unit_warnings([*stressed(1.0)[::2], *stressed(1 / GPa)[1::2]])
    assert warning.startswith("b.xyz: the rms stress is ")


def test_few_frames_say_nothing(thermal):
    assert unit_warnings(scaled(thermal[:4], 100.0, 1.0)) == []
