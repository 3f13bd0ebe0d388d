"""A linear backbone with a posterior over coefficients, as a potential."""

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from uqbench.api import KINDS
from uqbench.check.toy_backbone import ToyPairs
from uqbench.check.toy_data import ELEMENTS, toy_frames, unseen_structures
from uqbench.errors import UqbenchError
from uqbench.linear import model
from uqbench.linear.model import LinearPosterior
from uqbench.linear.posteriors import Gaussian, Samples

REFERENCES = {"Au": -3.0, "Cu": -2.0}
P = ToyPairs().n_features(ELEMENTS)
RNG = np.random.default_rng(3)
THETA = RNG.standard_normal(P)
GAUSSIAN = Gaussian(THETA, 0.1 * RNG.standard_normal((P, 4)), {"energy": 0.01, "forces": 0.1, "stress": 0.02})
COMMITTEE = Samples(THETA + 0.1 * RNG.standard_normal((6, P)))
STRUCTURES = [f.atoms for f in toy_frames()]


def posterior(parameters, known=lambda atoms: None):
    return LinearPosterior(ToyPairs(), ELEMENTS, parameters, REFERENCES, known)


def dense():
    """Rows of all structures kind by kind, and the reference energy per atom of each."""
    tables = list(ToyPairs().rows(STRUCTURES, ELEMENTS))
    ends = [1 + 3 * len(a) for a in STRUCTURES]
    rows = {
        "energy": np.concatenate([t[:1] for t in tables]),
        "forces": np.concatenate([t[1:n] for t, n in zip(tables, ends, strict=True)]),
        "stress": np.concatenate([t[n:] for t, n in zip(tables, ends, strict=True)]),
    }
    shift = [np.mean([REFERENCES[s] for s in a.get_chemical_symbols()]) for a in STRUCTURES]
    return rows, np.array(shift)


def test_means_are_rows_times_coefficients_and_references():
    rows, shift = dense()
    found = posterior(GAUSSIAN).predict(STRUCTURES)
    np.testing.assert_allclose(found.energy.mean, rows["energy"] @ THETA + shift, rtol=1e-12)
    np.testing.assert_allclose(found.forces.mean, rows["forces"] @ THETA, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.stress.mean, rows["stress"] @ THETA, rtol=1e-10, atol=1e-12)


def test_gaussian_spread_is_that_of_the_dense_covariance():
    rows, _ = dense()
    found = posterior(GAUSSIAN).predict(STRUCTURES)
    covariance = GAUSSIAN.factor @ GAUSSIAN.factor.T
    for kind in KINDS:
        variance = np.diag(rows[kind] @ covariance @ rows[kind].T) + GAUSSIAN.noise[kind] ** 2
        np.testing.assert_allclose(getattr(found, kind).std ** 2, variance, rtol=1e-10)


def test_gaussian_draws_have_its_mean_and_covariance():
    draws = GAUSSIAN.samples(200_000, np.random.default_rng(0))
    covariance = GAUSSIAN.factor @ GAUSSIAN.factor.T
    np.testing.assert_allclose(draws.mean(axis=0), THETA, atol=5e-3)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.02 * np.abs(covariance).max())


def test_members_of_a_committee_are_potentials_with_the_references():
    rows, shift = dense()
    found = posterior(COMMITTEE).predict(STRUCTURES)
    np.testing.assert_allclose(found.energy.samples, COMMITTEE.members @ rows["energy"].T + shift, rtol=1e-12)
    np.testing.assert_allclose(found.energy.mean, found.energy.samples.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.forces.std, found.forces.samples.std(axis=0, ddof=1), rtol=1e-10)


def test_committee_draws_are_members_without_repeats_while_there_are_enough():
    drawn = COMMITTEE.samples(6, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.sort(COMMITTEE.members[:, 0]))
    assert COMMITTEE.samples(50, np.random.default_rng(0)).shape == (50, P)


@pytest.mark.parametrize("atoms", unseen_structures(), ids=str)
def test_forces_and_stress_are_derivatives_of_the_energy(atoms):
    """Mean energies with references against ASE's finite differences of the fast potential and of predict."""
    prediction = posterior(GAUSSIAN).predict([atoms])
    atoms = atoms.copy()
    atoms.calc = ToyPairs().potential(THETA, ELEMENTS)
    np.testing.assert_allclose(
        prediction.forces.mean.reshape(-1, 3), calculate_numerical_forces(atoms, eps=1e-4), atol=1e-7
    )
    if atoms.pbc.all():
        np.testing.assert_allclose(
            prediction.stress.mean, calculate_numerical_stress(atoms, eps=1e-5), atol=1e-8
        )


def test_order_and_chunks_do_not_matter(monkeypatch):
    together = posterior(GAUSSIAN).predict(STRUCTURES)
    monkeypatch.setattr(model, "CHUNK_BYTES", 1)
    apart = posterior(GAUSSIAN).predict(STRUCTURES[::-1])
    np.testing.assert_allclose(apart.energy.mean[::-1], together.energy.mean, rtol=1e-12)
    np.testing.assert_allclose(apart.stress.std.reshape(-1, 6)[::-1].ravel(), together.stress.std, rtol=1e-12)
    assert len(apart.forces) == len(together.forces)


def test_stored_rows_are_used_and_only_the_others_computed():
    tables = dict(zip(map(id, STRUCTURES), ToyPairs().rows(STRUCTURES, ELEMENTS), strict=True))
    asked = []

    class Watched(ToyPairs):
        def rows(self, structures, elements):
            asked.extend(structures)
            return super().rows(structures, elements)

    def known(atoms):
        return tables[id(atoms)] if STRUCTURES.index(atoms) % 2 else None

    mixed = LinearPosterior(Watched(), ELEMENTS, GAUSSIAN, REFERENCES, known).predict(STRUCTURES)
    np.testing.assert_array_equal(mixed.forces.mean, posterior(GAUSSIAN).predict(STRUCTURES).forces.mean)
    assert asked == STRUCTURES[::2]


@pytest.mark.parametrize("parameters", [GAUSSIAN, COMMITTEE], ids=["gaussian", "committee"])
def test_an_empty_list_gives_empty_predictions(parameters):
    empty = posterior(parameters).predict([])
    assert [len(getattr(empty, kind)) for kind in KINDS] == [0, 0, 0]


def test_molecules_alone_have_an_empty_stress():
    molecules = [a for a in STRUCTURES if not a.pbc.any()]
    assert len(posterior(GAUSSIAN).predict(molecules).stress) == 0


def test_an_element_without_training_is_refused_by_name():
    stranger = STRUCTURES[0].copy()
    stranger.symbols[:2] = "Ni"
    with pytest.raises(
        UqbenchError, match=r"structure 1 holds Ni, which the training set \(elements: Au, Cu\)"
    ):
        posterior(GAUSSIAN).predict([STRUCTURES[0], stranger])
