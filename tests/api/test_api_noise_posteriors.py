"""Posteriors of networks with noise heads, on toy networks: what they predict, mix and refuse."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from uqbench.api import HasJointNoise, HasMembers, NetworkMethod
from uqbench.check.method import check_method
from uqbench.check.toy_data import toy_frames, unseen_structures
from uqbench.check.toy_network import SITE, ToyTrained, toy_network_problem
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench_methods.correlated_noise import CorrelatedNoise
from uqbench_methods.correlated_noise_ensemble import CorrelatedNoiseEnsemble, NoisyEnsemble
from uqbench_methods.mean_variance import MeanVariance
from uqbench_methods.shallow_ensemble import ShallowEnsemble

RNG = np.random.default_rng(0)


def fitted(method, change=None):
    return method.fit(toy_network_problem(toy_frames(), change), RNG)


@pytest.mark.parametrize("method", [CorrelatedNoise(), CorrelatedNoise(site_local=True), MeanVariance()])
def test_error_bars_are_those_of_the_noise_and_energies_are_per_atom(method):
    posterior = fitted(method)
    prediction = posterior.predict(unseen_structures())
    sizes = np.array([len(atoms) for atoms in unseen_structures()])
    # All toy laws give the energy the variance N SITE².
    np.testing.assert_allclose(prediction.energy.std, SITE / np.sqrt(sizes))
    assert prediction.stress is None
    assert prediction.energy.interval(0.95).rule == "gaussian"
    assert isinstance(posterior, HasJointNoise)
    assert not isinstance(posterior, HasMembers)


def test_the_mixture_is_what_draws_of_its_members_have():
    """A member at random, then a draw of its noise: same mean, and the covariance but for Bessel's correction.

    Entries within three standard errors, but for the one in 370 that chance takes beyond.
    """
    posterior, (atoms, *_) = fitted(CorrelatedNoiseEnsemble(members=4)), unseen_structures()
    rng = np.random.default_rng(1)
    n = 400_000
    means, draws = [], []
    for network in posterior.networks:
        found = network.predict([atoms])[0]
        means.append(np.concatenate([[found.energy], found.forces.ravel()]))
        covariance = network.noise([atoms])[0].covariance()
        draws.append(rng.multivariate_normal(means[-1], covariance, size=n // 4))
    values = np.concatenate(draws) - np.mean(means, axis=0)
    wanted = posterior.joint_covariance(atoms) - np.cov(means, rowvar=False) / 4
    off = []
    for i in range(values.shape[1]):
        products = values * values[:, i : i + 1]
        off.append((products.mean(axis=0) - wanted[i]) / (products.std(axis=0) / np.sqrt(n)))
    assert np.mean(np.abs(off) > 3) < 0.01
    assert np.abs(off).max() < 4.5
    prediction = posterior.predict([atoms])
    np.testing.assert_allclose(prediction.energy.mean * len(atoms), np.mean(means, axis=0)[0])
    diagonal = np.concatenate([prediction.energy.std * len(atoms), prediction.forces.std]) ** 2
    np.testing.assert_allclose(diagonal, np.diag(posterior.joint_covariance(atoms)), rtol=1e-9)


def test_members_carry_properties_and_the_mean_potential_is_theirs():
    posterior = fitted(CorrelatedNoiseEnsemble(members=3))
    assert isinstance(posterior, HasMembers)
    assert isinstance(posterior, HasJointNoise)
    atoms = unseen_structures()[0].copy()
    energies = []
    for calculator in posterior.members():
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
    atoms.calc = posterior.mean_potential()
    assert atoms.get_potential_energy() == pytest.approx(np.mean(energies), rel=1e-12)
    assert posterior.predict([atoms]).stress.interval(0.95).rule == "student"


def test_a_member_without_a_head_is_reported_and_one_is_no_ensemble():
    def fails(*which):
        def change(member, network):
            if member in which:
                raise UqbenchError(f"no luck with {member}")
            return network

        return change

    posterior = fitted(CorrelatedNoiseEnsemble(members=3), fails(1))
    assert posterior.facts == {"members_trained": 2.0, "member_1_failed": "no luck with 1"}
    with pytest.raises(UqbenchError, match="2 of 3 members failed"):
        fitted(CorrelatedNoiseEnsemble(members=3), fails(0, 1))
    with pytest.raises(UqbenchError, match="at least 2"):
        CorrelatedNoiseEnsemble(members=1)


def test_a_backbone_that_gives_plain_networks_is_told():
    def plain(member, network):
        return ToyTrained(network.weights, network.references)

    with pytest.raises(UqbenchError, match="a NoisyNetwork is needed"):
        fitted(CorrelatedNoise(), plain)
    with pytest.raises(UqbenchError, match="a CommitteeNetwork is needed"):
        fitted(ShallowEnsemble(), plain)


def test_why_training_stopped_is_a_fact():
    def stopped(member, network):
        return replace(network, stopped="the loss of batch 2 is not finite")

    assert "batch 2" in fitted(CorrelatedNoise(), stopped).facts["head_stopped"]
    assert "batch 2" in fitted(ShallowEnsemble(), stopped).facts["readouts_stopped"]


def test_noise_is_carried_to_a_vacancy_as_independent_energies():
    """Var E(N-1) + ((N-1)/N)² Var E(N), which the toy's noise of N SITE² makes (N-1) (2 - 1/N) SITE²."""
    from properties.toy_crystals import FCC

    from uqbench.properties.vacancy_quantity import VacancyFormation

    n = len(FCC.perfect())
    quantity = VacancyFormation(FCC)
    posterior = fitted(CorrelatedNoise())
    variances = quantity.noise_variance(lambda atoms: posterior.joint_covariance(atoms)[0, 0])
    for variance in variances.values():
        assert variance == pytest.approx((n - 1) * (2 - 1 / n) * SITE**2)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda found: found[1:, 1:], "has shape"),
        (lambda found: found - 2 * np.diag(np.diag(found)), "positive semi-definite"),
        (lambda found: 2 * found, "not the variance"),
    ],
    ids=["shape", "sign", "scale"],
)
def test_a_joint_noise_that_is_none_is_told(spoil, words):
    class Spoiled(NoisyEnsemble):
        def joint_covariance(self, structure):
            return spoil(super().joint_covariance(structure))

    def fit(self, problem, rng):
        sound = CorrelatedNoiseEnsemble(members=2).fit(problem, rng)
        return Spoiled(*vars(sound).values())

    method = dataclass(frozen=True)(type("Bad", (NetworkMethod,), {"fit": fit, "__module__": __name__}))
    findings = {f.what: f.words for f in check_method("bad", Registry({"bad": method}, {}, {}, {}))}
    assert words in findings["joint noise"]
