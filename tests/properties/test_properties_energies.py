"""Sums of energies of structures, static and relaxed; the tasks that are made of them."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from toy_crystals import FCC, fcc_model, shifted

from uqbench.api import Lattice, Material, NotApplicable, Reference
from uqbench.properties.energies import EnergySum, Term
from uqbench.properties.migration import migration_barrier
from uqbench.properties.resampling import potentials, resample
from uqbench_tasks.phases import Phases
from uqbench_tasks.surfaces import Surfaces

BACKBONE, THETA = fcc_model()
AL = ("Al",)
SLAB = {"layers": 4, "surface_cell": [1, 1], "vacuum": 8.0}


def aluminium(**references):
    made = {
        name: Reference(0.1, "x", None, protocol, crystal) for name, (protocol, crystal) in references.items()
    }
    return Material("toy", "Al", Lattice("fcc", 3.98), made)


def quantities():
    hcp = Lattice("hcp", 2.82, 4.6)
    material = aluminium(surface_energy_100=(SLAB, None), energy_hcp_minus_fcc=({}, hcp))
    surface, phase = Surfaces().quantities(material)[0], Phases().quantities(material)[0]
    return {"surface": surface, "phase": phase, "barrier": migration_barrier(FCC)}


@pytest.mark.parametrize("which", ["surface", "phase", "barrier"])
def test_samples_by_expansion_equal_real_relaxations(which):
    quantity = quantities()[which]
    samples = shifted(THETA, 4e-3, 8)
    quick = quantity.propagator(BACKBONE, AL, THETA, samples)(samples)
    real = resample(tuple(quantity.units), quantity.measure, potentials(BACKBONE, AL, samples))
    assert quick.status == real.status == ("ok",) * 8
    assert quick.accepted.sum() >= 6
    assert np.abs(quick.values - real.values).max() < 1e-2 * real.values.std()


def test_a_surface_energy_by_hand():
    quantity = quantities()["surface"]
    slab = bulk("Al", a=3.98, cubic=True).repeat((1, 1, 2))
    slab.cell[2, 2] = 1.5 * 3.98 + 8.0
    slab.pbc = True
    slab.calc = EMT()
    area = slab.cell[0, 0] * slab.cell[1, 1]
    BFGS(slab, logfile=None).run(fmax=1e-5)
    solid = bulk("Al", a=3.98)
    solid.calc = EMT()
    energy = (slab.get_potential_energy() - 8 * solid.get_potential_energy()) / (2 * area) * 16.021766
    assert quantity.measure(EMT())["surface_energy_100"] == pytest.approx(energy, rel=1e-6)
    assert quantity.units == {"surface_energy_100": "J/m²"}


def test_a_phase_by_ases_own_relaxation_of_the_cell():
    energies = []
    for cell in (bulk("Al", "hcp", a=2.82, c=4.6), bulk("Al", "fcc", a=3.98)):
        cell.calc = EMT()
        BFGS(FrechetCellFilter(cell), logfile=None).run(fmax=1e-5)
        energies.append(cell.get_potential_energy() / len(cell))
    found = quantities()["phase"].measure(EMT())["energy_hcp_minus_fcc"]
    assert found == pytest.approx(energies[0] - energies[1], abs=1e-7)


def test_what_is_not_relaxed_is_linear_and_independent_noise_adds_up():
    a, b = bulk("Al", a=3.9), bulk("Al", a=4.1, cubic=True)
    still = EnergySum("x", "eV", (Term(1.0, b), Term(-4.0, a)))
    (row,) = still.rows(BACKBONE, AL).values()
    assert row @ THETA == pytest.approx(still.measure(BACKBONE.potential(THETA, AL))["x"], rel=1e-9)
    samples = shifted(THETA, 0.1, 3)
    assert still.propagator(BACKBONE, AL, THETA, samples)(samples).values[:, 0] == pytest.approx(
        samples @ row
    )
    assert still.noise_variance(len) == {"x": 4 + 16.0 * 1}
    assert EnergySum("x", "eV", (Term(1.0, b, "cell"),)).rows(BACKBONE, AL) == {}


def test_materials_without_such_references_say_so():
    for task in (Surfaces(), Phases()):
        with pytest.raises(NotApplicable, match="toy has no"):
            task.quantities(aluminium())
    with pytest.raises(NotApplicable, match="names no crystal"):
        Phases().quantities(aluminium(energy_bcc_minus_fcc=({}, None)))
