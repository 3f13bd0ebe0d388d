"""The barrier of a vacancy's migration against a path of least energy; samples are in test_properties_energies."""

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.mep import NEB
from ase.optimize import BFGS, FIRE
from toy_crystals import FCC, fcc_model

from uqbench.api import Lattice, Material, Reference
from uqbench.properties.crystal import Crystal
from uqbench.properties.migration import MIGRATION, halfway, migration_barrier
from uqbench.properties.relax import hessian, relax
from uqbench_tasks.vacancy import Vacancy

BACKBONE, THETA = fcc_model()
AL = ("Al",)


def test_the_barrier_is_that_of_a_nudged_elastic_band():
    """A climbing image finds the saddle without being told of any symmetry."""
    crystal = Crystal("fcc", "Cu", 3.6)
    start, end, perfect = crystal.vacancy(), crystal.vacancy(), crystal.perfect()
    neighbour = 1 + int(np.argmin(perfect.get_distances(0, range(1, len(perfect)), mic=True).round(6)))
    end.positions[neighbour - 1] -= perfect.get_distance(0, neighbour, mic=True, vector=True)
    images = [start, *(start.copy() for _ in range(3)), end]
    for image in images:
        image.calc = EMT()
    for side in (start, end):
        BFGS(side, logfile=None).run(fmax=1e-4)
    band = NEB(images, climb=True, method="improvedtangent")
    band.interpolate("idpp")
    # Off the straight line, so that nothing is held by symmetry.
    images[2].rattle(0.02, seed=1)
    FIRE(band, logfile=None).run(fmax=5e-3, steps=400)
    path = [image.get_potential_energy() for image in images]
    found = migration_barrier(crystal).measure(EMT())[MIGRATION]
    assert path[4] == pytest.approx(path[0], abs=1e-4)
    assert found == pytest.approx(max(path) - path[0], abs=1e-3)
    assert 0.3 < found < 1.0


def test_the_saddle_is_one():
    """One unstable direction, towards the vacancy; the relaxed atom is still half way."""
    perfect = FCC.perfect()
    potential = BACKBONE.potential(THETA, AL)
    saddle = relax(halfway(perfect), potential).atoms
    values, modes = np.linalg.eigh(hessian(saddle, potential))
    assert (values < -1e-3).sum() == 1
    softest = modes[:, 0].reshape(-1, 3)
    moving = int(np.linalg.norm(softest, axis=1).argmax())
    way = perfect.get_distance(0, moving + 1, mic=True, vector=True)
    assert abs(softest[moving] @ way) > 0.5 * np.linalg.norm(way)
    np.testing.assert_allclose(saddle.positions[moving], perfect.positions[moving + 1] - 0.5 * way, atol=1e-6)


@pytest.mark.parametrize("there", [True, False])
def test_the_task_asks_for_it_where_the_card_has_a_reference(there):
    references = {"vacancy_formation_energy": Reference(0.7, "eV", None, {"supercell": [2, 2, 2]}, None)}
    if there:
        references[MIGRATION] = Reference(0.6, "eV", None, {}, None)
    asked = Vacancy().quantities(Material("toy", "Al", Lattice("fcc", 3.98), references))
    assert [MIGRATION in quantity.units for quantity in asked] == [False, True][: 1 + there]
