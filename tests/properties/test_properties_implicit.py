"""Implicit differentiation: orders of its error, response of positions, symmetry, and the gate behind it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from ase import Atoms
from toy_crystals import FCC, fcc_model, shifted

from uqbench.api import LinearBackbone
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.displacements import free_displacements, symmetric_displacements
from uqbench.properties.failures import UnstableError
from uqbench.properties.gate import gated_energies
from uqbench.properties.implicit import Expansion
from uqbench.properties.lattice import lattice_constant
from uqbench.properties.relax import hessian, relax
from uqbench.properties.resampling import potentials, resample
from uqbench.properties.vacancy import unrelaxed_rows, vacancy_energy
from uqbench.properties.vacancy_in_a import VacancyInA
from uqbench.properties.vacancy_quantity import SADDLE, VacancyFormation
from uqbench.properties.vacancy_tables import VacancyTables

AL = ("Al",)
BACKBONE, THETA = fcc_model()
CRYSTAL = FCC.at(3.9733)


@pytest.fixture(scope="module")
def tables():
    return VacancyTables.about(BACKBONE, AL, CRYSTAL, THETA)


def relaxed(theta, crystal=CRYSTAL, tolerance=1e-9):
    return vacancy_energy(crystal, BACKBONE.potential(theta, AL), tolerance).relaxed


@dataclass(frozen=True)
class Spring(LinearBackbone):
    """Two atoms: E = θ_0 r + θ_1 (r - 1)²/2, at rest where r = 1 - θ_0/θ_1, E* = θ_0 - θ_0²/(2 θ_1)."""

    def n_features(self, elements):
        return 2

    def rows(self, structures, elements) -> Iterator[np.ndarray]:
        for atoms in structures:
            vector = atoms.positions[1] - atoms.positions[0]
            r = np.linalg.norm(vector)
            pull = np.outer(vector / r, [1.0, r - 1.0])
            yield np.concatenate([[[r / 2, (r - 1) ** 2 / 4]], pull, -pull])

    def potential(self, coefficients, elements):
        raise NotImplementedError


def test_a_spring_is_solved_exactly():
    """Quadratic in the one displacement there is: no error, whatever the coefficients."""
    stretch = np.array([[-1.0, 0, 0, 1.0, 0, 0]]).T / np.sqrt(2)
    expansion = Expansion.about(Spring(), AL, Atoms("Al2", [[0, 0, 0], [1.0, 0, 0]]), stretch)
    samples = np.array([[0.3, 2.0], [-0.02, 5.0], [0.0, 1.0], [0.1, -1.0]])
    found, corrected = expansion.newton(samples), expansion.corrected(samples)
    pull, stiffness = samples.T
    exact = pull - pull**2 / (2 * stiffness)
    np.testing.assert_array_equal(found.stable, [True, True, True, False])
    np.testing.assert_allclose(found.energy[:3], exact[:3], atol=1e-9)
    np.testing.assert_allclose(found.displacement[:3, 3] * 2, -pull[:3] / stiffness[:3], atol=1e-8)
    # The first step is 0.075 Å an atom and followed; the unstable sample has none.
    np.testing.assert_allclose(corrected.energy[:3], exact[:3], atol=1e-9)
    np.testing.assert_allclose(corrected.decrement[:3], 0.0, atol=1e-9)
    assert np.isnan([found.energy[3], corrected.energy[3], corrected.decrement[3]]).all()


def test_orders_of_the_error_are_three_four_and_five(tables):
    """In the shift of θ: without evaluation, with one, and with one less the Newton decrement."""
    direction = shifted(THETA, 1.0, 1)[0] - THETA
    direction *= np.linalg.norm(THETA) / np.linalg.norm(direction)
    sizes = np.array([5e-3, 1e-2, 2e-2])
    samples = THETA + sizes[:, None] * direction
    exact = np.array([relaxed(theta) for theta in samples])
    corrected = tables.expansion.corrected(samples)
    less = corrected.energy - samples @ tables.perfect
    for energy, order in (
        (tables.without_evaluations(samples), 3),
        (less + corrected.decrement, 4),
        (less, 5),
    ):
        slopes = np.diff(np.log(np.abs(energy - exact))) / np.log(2)
        assert slopes == pytest.approx(np.full(2, order), abs=0.45)
    # The decrement is the error that is left without it.
    assert corrected.decrement == pytest.approx(less + corrected.decrement - exact, rel=0.1)


def test_response_of_positions_equals_real_relaxations(tables):
    """dX*/dθ = H⁻¹F against minima at θ ± δ, to 1e-5."""
    expansion = tables.expansion
    direction = shifted(THETA, 1e-4, 1)[0] - THETA
    ends = []
    for sign in (1.0, -1.0):
        potential = BACKBONE.potential(THETA + sign * direction, AL)
        ends.append(relax(expansion.atoms, potential, 1e-11, max_steps=200).atoms.positions)
    real = (ends[0] - ends[1]).ravel() / 2
    real = expansion.basis @ (expansion.basis.T @ real)
    force = expansion.basis @ (expansion.force_rows @ direction)
    response = np.linalg.pinv(expansion.hessian(THETA), rcond=1e-8, hermitian=True) @ force
    assert np.linalg.norm(response - real) < 1e-5 * np.linalg.norm(real)


def test_hessian_rows_are_the_hessian_of_the_potential(tables):
    theta = shifted(THETA, 1e-2, 1, seed=3)[0]
    found = tables.expansion.hessian(theta)
    np.testing.assert_allclose(found @ np.tile(np.eye(3), (31, 1)), 0.0, atol=1e-9)
    by_forces = hessian(tables.expansion.atoms, BACKBONE.potential(theta, AL))
    np.testing.assert_allclose(found, by_forces, atol=1e-4 * np.abs(by_forces).max())


def test_symmetric_displacements_hold_all_forces_and_give_the_same_energies(tables):
    basis = symmetric_displacements(tables.expansion.atoms)
    assert basis.shape[1] < 10
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    samples = shifted(THETA, 1e-3, 5)
    rows = next(iter(BACKBONE.rows([tables.expansion.atoms], AL)))[1:94]
    np.testing.assert_allclose(basis @ (basis.T @ rows), rows, atol=1e-9)
    small = VacancyTables.about(BACKBONE, AL, CRYSTAL, THETA, symmetric=True)
    assert small.expansion.basis.shape == basis.shape
    np.testing.assert_allclose(
        small.without_evaluations(samples), tables.without_evaluations(samples), atol=1e-9
    )


def test_without_symmetry_all_but_translations_are_free():
    atoms = FCC.vacancy()
    atoms.rattle(0.05, seed=1)
    free = free_displacements(31)
    np.testing.assert_allclose(free.T @ np.tile(np.eye(3), (31, 1)), 0.0, atol=1e-12)
    assert symmetric_displacements(atoms).shape == free.shape == (93, 90)


def test_the_gate_catches_planted_bad_samples(tables):
    """A shift far too large for a Newton step, and a potential upside down, among good ones."""
    good = shifted(THETA, 1e-3, 3)
    direction = shifted(THETA, 1.0, 1)[0] - THETA
    far = THETA + 0.07 * direction * np.linalg.norm(THETA) / np.linalg.norm(direction)
    samples = np.stack([good[0], far, good[1], -THETA, good[2]])
    found = tables.gated(samples)
    np.testing.assert_array_equal(found.accepted, [True, False, True, False, True])
    assert found.counts["accepted"] == 3
    assert found.counts["relaxed"] == 1
    assert found.counts["unstable"] + found.counts["not converged"] == 1
    exact = np.array([relaxed(theta, tolerance=1e-6) for theta in samples[[0, 1, 2, 4]]])
    values = found.result.of("vacancy_formation_energy")
    np.testing.assert_allclose(values[[0, 1, 2, 4]], exact, atol=1e-6)
    assert np.isnan(values[3])
    assert found.result.reasons[3]
    # Ungated the large shift is off by far more than is allowed.
    assert abs(tables.without_evaluations(samples)[1] - exact[1]) > 1e-2


def test_a_saddle_point_is_left_before_it_is_relaxed():
    """A curvature that only a broken symmetry feels: relaxing from the saddle would find no force at all."""

    class Double(Spring):
        """E = θ_0 (-x² / 2 + 8 x⁴) of the second atom's height x: minima at x = ± √(1/32)."""

        def n_features(self, elements):
            return 1

        def rows(self, structures, elements):
            for atoms in structures:
                x = atoms.positions[1, 2] - atoms.positions[0, 2]
                slope = -x + 32 * x**3
                rows = np.zeros((7, 1))
                rows[0], rows[3], rows[6] = (-(x**2) / 2 + 8 * x**4) / 2, slope, -slope
                yield rows

        def potential(self, coefficients, elements):
            from ase.calculators.calculator import Calculator

            rows = self.rows

            class _Potential(Calculator):
                implemented_properties = ["energy", "forces"]  # noqa: RUF012

                def calculate(self, atoms=None, properties=(), system_changes=()):
                    super().calculate(atoms, properties, system_changes)
                    values = next(iter(rows([atoms], ("Al",)))) @ coefficients
                    self.results = {"energy": 2 * values[0], "forces": values[1:].reshape(2, 3)}

            return _Potential()

    height = np.array([[0, 0, -1.0, 0, 0, 1.0]]).T / np.sqrt(2)
    expansion = Expansion.about(Double(), AL, Atoms("Al2", [[0, 0, 0], [2.0, 0, 0]]), height)
    seen = []
    found = gated_energies(expansion, np.array([[1.0]]), seen.append)
    assert found.counts == {"accepted": 0, "relaxed": 1, "unstable": 0, "not converged": 0}
    assert found.result.of("energy") == pytest.approx(-1 / 128)
    assert len(seen) > 2  # the start and every step


def test_a_vacancy_that_is_a_saddle_is_relaxed_with_its_symmetry_kept():
    """As members are, and the reference: not down to a structure of less symmetry."""
    crystal = FCC.at(4.24)
    tables = VacancyTables.about(BACKBONE, AL, crystal, THETA)
    samples = THETA * (1.0 + 0.003 * np.random.default_rng(1).standard_normal((40, len(THETA))))
    saddles = ~tables.expansion.newton(samples).stable
    assert 3 < saddles.sum() < 30
    found = tables.gated(samples[saddles]).result
    exact = resample(
        ("e",),
        lambda p: {"e": vacancy_energy(crystal, p).relaxed},
        potentials(BACKBONE, AL, samples[saddles]),
    )
    assert found.status == exact.status
    assert exact.ok.sum() > 3
    np.testing.assert_allclose(found.values[exact.ok], exact.values[exact.ok], atol=1e-7)


def test_a_sample_without_a_minimum_at_the_means_sites_is_told(monkeypatch):
    """By the Hessian at the reference's lattice constant; the values are those of a real relaxation."""
    corrected = Expansion.corrected

    def blind(self, samples, *short):
        found = corrected(self, samples, *short)
        first = np.arange(len(samples)) == 0
        return replace(
            found, stable=found.stable & ~first, decrement=np.where(first, np.nan, found.decrement)
        )

    monkeypatch.setattr(Expansion, "corrected", blind)
    quantity, samples = VacancyFormation(CRYSTAL), shifted(THETA, 1e-4, 2)
    found = quantity.propagator(BACKBONE, AL, THETA, samples)(samples)
    assert found.reasons == (SADDLE, "")
    assert found.accepted.tolist() == [False, True]
    real = quantity.measure(BACKBONE.potential(samples[0], AL))
    np.testing.assert_allclose(found.values[0], list(real.values()), atol=1e-6)


def test_a_mean_without_a_minimum_is_refused():
    """In a crystal stretched beyond its strength the relaxed sites are a saddle point; upside down there is none."""
    with pytest.raises(UnstableError, match="saddle point"):
        VacancyTables.about(BACKBONE, AL, FCC.at(4.4), THETA)
    with pytest.raises(UnstableError, match="moved"):
        VacancyTables.about(BACKBONE, AL, CRYSTAL, -THETA)


def test_a_cell_in_which_symmetry_holds_every_atom():
    """Three atoms beside a vacancy, each at a centre of inversion: nothing relaxes."""
    crystal = Crystal("fcc", "Al", CRYSTAL.a, (1, 1, 1))
    tables = VacancyTables.about(BACKBONE, AL, crystal, THETA, symmetric=True)
    assert tables.expansion.basis.shape == (9, 0)
    samples = shifted(THETA, 1e-3, 3)
    energies = samples @ unrelaxed_rows(BACKBONE, AL, [crystal])[0]
    np.testing.assert_allclose(tables.without_evaluations(samples), energies, atol=1e-9)
    found = tables.gated(samples)
    assert found.accepted.all()
    np.testing.assert_allclose(found.result.of("vacancy_formation_energy"), energies, atol=1e-9)


def test_samples_of_the_wrong_shape_are_named(tables):
    with pytest.raises(UqbenchError, match=r"\(5,\).*\(n, 5\)"):
        tables.without_evaluations(THETA)


def test_own_lattice_constants_need_the_response_of_the_cell():
    """Tables in a equal real relaxations at each sample's own a₀; the tables of one a do not."""
    crystal = FCC.at(lattice_constant(FCC, BACKBONE.potential(THETA, AL)))
    samples = shifted(THETA, 2e-4, 6)
    a = np.array([lattice_constant(crystal, BACKBONE.potential(t, AL)) for t in samples])
    exact = np.array([relaxed(t, crystal.at(float(x))) for t, x in zip(samples, a, strict=True)])
    table = VacancyInA.about(BACKBONE, AL, crystal, THETA, np.abs(a - crystal.a).max() + 1e-3)
    found = table.newton(samples, a).energy
    assert np.sqrt(np.mean((found - exact) ** 2)) < 1e-3 * exact.std()
    fixed = VacancyTables.about(BACKBONE, AL, crystal, THETA, symmetric=True).without_evaluations(samples)
    assert np.sqrt(np.mean((fixed - exact) ** 2)) > 1e-2 * exact.std()
    assert np.isnan(table.newton(samples[:1], np.array([np.nan])).energy).all()
    with pytest.raises(UqbenchError, match=r"4\.5000 Å is outside"):
        table.newton(samples[:1], np.array([4.5]))


def test_a_relaxation_that_is_refused_on_its_way_is_unstable(tables):
    """Counted, with its words, and without a value."""
    direction = shifted(THETA, 1.0, 1)[0] - THETA
    far = THETA + 0.07 * direction * np.linalg.norm(THETA) / np.linalg.norm(direction)

    def refuse(now):
        raise UnstableError("not a vacancy")

    found = gated_energies(tables.expansion, far[None], refuse)
    assert found.counts == {"accepted": 0, "relaxed": 0, "unstable": 1, "not converged": 0}
    assert found.result.reasons == ("not a vacancy",)
    assert np.isnan([found.result.of("energy")[0], found.decrement[0]]).all()
