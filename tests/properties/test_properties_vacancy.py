"""Relaxation and vacancy energies against ASE's own optimiser; what does not converge is said."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator
from ase.optimize import FIRE
from toy_crystals import FCC, fcc_model, shifted

from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import NotConvergedError, UnstableError
from uqbench.properties.relax import relax
from uqbench.properties.resampling import potentials, resample
from uqbench.properties.vacancy import on_its_sites, unrelaxed_rows, vacancy_energy

BACKBONE, THETA = fcc_model()


def potential():
    return BACKBONE.potential(THETA, ("Al",))


class Broken(Calculator):
    """Forces that are no numbers, or an error once atoms have moved."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def calculate(self, atoms=None, properties=(), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        if self.error and not np.array_equal(atoms.positions, FCC.vacancy().positions):
            raise UqbenchError(self.error)
        forces = np.zeros((len(atoms), 3))
        forces[0] = 1.0 if self.error else np.nan
        self.results = {"energy": 0.0, "forces": forces}


def test_vacancy_energy_equals_ases_own_relaxation():
    """By FIRE from the same start, and (N-1)/N E(N) by hand, to 1 µeV."""
    found = vacancy_energy(FCC, potential())
    cell, perfect = FCC.vacancy(), FCC.perfect()
    cell.calc, perfect.calc = potential(), potential()
    bulk = perfect.get_potential_energy() * 31 / 32
    assert found.unrelaxed == pytest.approx(cell.get_potential_energy() - bulk, abs=1e-10)
    FIRE(cell, logfile=None).run(fmax=1e-4)
    assert found.relaxed == pytest.approx(cell.get_potential_energy() - bulk, abs=1e-6)
    assert found.relaxed < found.unrelaxed - 1e-3


def test_unrelaxed_energies_are_linear_in_the_coefficients():
    row = unrelaxed_rows(BACKBONE, ("Al",), [FCC])[0]
    for theta in shifted(THETA, 1e-2, 3):
        found = vacancy_energy(FCC, BACKBONE.potential(theta, ("Al",)))
        assert row @ theta == pytest.approx(found.unrelaxed, abs=1e-9)
    assert row[0] == pytest.approx(0.0, abs=1e-12)  # a constant an atom is not felt


def test_relaxation_reaches_a_billionth_and_leaves_its_start_alone():
    cell = FCC.vacancy()
    near = relax(cell, potential(), tolerance=1e-3)
    assert 1e-9 < near.largest_force < 1e-3
    fine = relax(cell, potential(), tolerance=1e-9, max_steps=200)
    assert fine.largest_force < 1e-9
    assert fine.energy <= near.energy
    np.testing.assert_array_equal(cell.positions, FCC.vacancy().positions)


def test_what_does_not_converge_says_so_with_the_last_force():
    with pytest.raises(
        NotConvergedError, match=r"Al31: did not converge: the largest force is \d.*after 3 eval"
    ):
        relax(FCC.vacancy(), potential(), max_steps=2)
    with pytest.raises(NotConvergedError, match="largest force is nan"):
        relax(FCC.vacancy(), Broken(), max_steps=2)
    with pytest.raises(NotConvergedError, match="failed in step 1: lost atoms"):
        relax(FCC.vacancy(), Broken("lost atoms"))


def test_relaxation_goes_downhill_from_a_maximum():
    """Upside down the sites are a maximum, which forces lead to as well if curvature is taken as it comes."""
    upside_down = BACKBONE.potential(-THETA, ("Al",))
    start = FCC.vacancy()
    start.calc = upside_down
    with pytest.raises(NotConvergedError, match="after 21 evaluations") as caught:
        relax(start, upside_down, max_steps=20)
    assert "largest force is" in str(caught.value)
    with pytest.raises(UnstableError, match="moved"):
        vacancy_energy(FCC, upside_down)


def test_an_atom_that_leaves_its_site_is_another_defect():
    before, after = FCC.vacancy(), FCC.vacancy()
    after.positions[4] += [0.0, 1.6, 0.0]
    on_its_sites(FCC)(before)
    with pytest.raises(UnstableError, match=r"atom 4 moved 1\.60 Å"):
        on_its_sites(FCC)(after)

    class Pull(Calculator):
        """Springs to where the atoms are to go."""

        implemented_properties = ["energy", "forces"]  # noqa: RUF012

        def calculate(self, atoms=None, properties=(), system_changes=()):
            super().calculate(atoms, properties, system_changes)
            seen.append(np.linalg.norm(atoms.positions - before.positions[: len(atoms)], axis=1).max())
            stretched = atoms.positions - after.positions[: len(atoms)]
            self.results = {"energy": 0.1 * (stretched**2).sum(), "forces": -0.2 * stretched}

    seen = []
    with pytest.raises(UnstableError, match="atom 4 moved"):
        vacancy_energy(FCC, Pull())
    # The rest of the way is not gone.
    assert 0.5 * FCC.nearest < seen[-1] < 1.59
    assert all(moved < 0.5 * FCC.nearest for moved in seen[:-1])


def test_one_atom_leaves_no_vacancy():
    with pytest.raises(UqbenchError, match="one atom"):
        Crystal("sc", "Po", 3.3, (1, 1, 1)).vacancy()


def test_resampling_reports_every_potential():
    """Two good ones, one that fails and one without a property: values, status and reasons in their order."""
    good = list(potentials(BACKBONE, ("Al",), shifted(THETA, 1e-3, 2)))

    def measure(calculator):
        if calculator is good[0]:
            raise UnstableError("gave way")
        return {"e": vacancy_energy(FCC, calculator).unrelaxed, "other": 1.0}

    found = resample(("e",), measure, [*good, Broken("lost atoms"), potential()])
    assert found.status == ("unstable", "ok", "not converged", "ok")
    assert found.counts == {"ok": 2, "unstable": 1, "not converged": 1}
    assert found.reasons[0] == "gave way"
    assert "lost atoms" in found.reasons[2]
    np.testing.assert_array_equal(np.isfinite(found.of("e")), found.ok)
    with pytest.raises(UqbenchError, match=r"'x'.*e"):
        found.of("x")


def test_errors_that_are_no_property_of_a_potential_are_not_swallowed():
    def measure(calculator):
        raise UqbenchError("no such element")

    with pytest.raises(UqbenchError, match="no such element"):
        resample(("e",), measure, [potential()])
