"""Methods for networks that break one rule each, and the sentence that each is told; the toy networks themselves."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from uqbench.api import Ensemble, NetworkMethod, Posterior
from uqbench.check.method import check_method
from uqbench.check.toy_data import ELEMENTS, toy_frames, unseen_structures
from uqbench.check.toy_network import toy_network_problem, toy_training
from uqbench.errors import UqbenchError
from uqbench.linear.references import fit_references
from uqbench.registry import Registry
from uqbench_methods.deep_ensemble import DeepEnsemble


def sound(problem, count=3):
    return Ensemble(tuple(problem.train(m) for m in range(count)), problem.device, {})


def with_fit(fit):
    return dataclass(frozen=True)(type("Bad", (NetworkMethod,), {"fit": fit, "__module__": __name__}))


def failures(method):
    findings = check_method("bad", Registry({"bad": method}, {}, {}, {}))
    return {f.what: f.words for f in findings if f.status == "failed"}


def test_a_sound_method_passes():
    assert failures(DeepEnsemble) == {}


def passes_over(self, problem, rng):
    networks = []
    for member in range(3):
        try:
            networks.append(problem.train(member))
        except UqbenchError:
            continue
    return Ensemble(tuple(networks), problem.device, {})


def writes(self, problem, rng):
    for frame in problem.frames:
        frame.atoms.positions += 0.1
    return sound(problem)


def draws(self, problem, rng):
    return sound(problem, 2 + np.random.randint(5))  # noqa: NPY002


def told(self, problem, rng):
    return replace(sound(problem), facts={"members": 3})


def shifted(self, problem, rng):
    class Shifted(Ensemble):
        def predict(self, structures):
            found = super().predict(structures)
            return replace(
                found, energy=found.energy.shifted(np.array([a.positions[0, 0] for a in structures]))
            )

    return Shifted(*vars(sound(problem)).values())


@pytest.mark.parametrize(
    ("fit", "what", "words"),
    [
        (lambda self, problem, rng: 7, "fit", "fit returns a int; return a Posterior"),
        (passes_over, "a network that fails", "the facts do not say so"),
        (writes, "inputs left alone", "writes into the frames"),
        (draws, "global random state left alone", "NumPy's global random state"),
        (told, "facts", "a float or text is needed"),
        (shifted, "energy, forces and stress of one potential", "not of one potential"),
        (
            lambda self, problem, rng: sound(problem, 2) if problem.train(-1) else None,
            "fit",
            "numbered from 0",
        ),
    ],
    ids=["type", "silence", "input", "random", "facts", "potential", "number"],
)
def test_each_broken_rule_is_told(fit, what, words):
    assert words in failures(with_fit(fit)).get(what, "nothing")


def test_a_posterior_without_facts_is_told():
    class Bare(Posterior):
        def predict(self, structures):
            return sound(toy_network_problem(toy_frames())).predict(structures)

    assert "facts" in failures(with_fit(lambda self, problem, rng: Bare()))


def test_a_toy_network_is_one_potential_with_its_references():
    """Calculator, batched prediction and rows times weights agree; seeds differ."""
    references = fit_references(toy_frames(), ELEMENTS)
    network = toy_training(toy_frames(), references, 0)
    for atoms, found, rows in zip(
        unseen_structures(),
        network.predict(unseen_structures()),
        network.rows(unseen_structures()),
        strict=True,
    ):
        atoms = atoms.copy()
        atoms.calc = network.calculator()
        assert found.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
        np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=1e-10)
        own = sum(references[s] for s in atoms.get_chemical_symbols())
        assert len(atoms) * (rows @ network.weights)[0] + own == pytest.approx(found.energy, rel=1e-10)
    assert not np.array_equal(network.weights, toy_training(toy_frames(), references, 1).weights)


def test_members_that_fail_are_reported_and_one_is_no_ensemble():
    def fails(*which):
        def change(member, network):
            if member in which:
                raise UqbenchError(f"no luck with {member}")
            return network

        return toy_network_problem(toy_frames(), change)

    kept = DeepEnsemble(3).fit(fails(1), np.random.default_rng(0))
    assert len(kept.members()) == 2
    assert kept.facts == {"members_trained": 2.0, "member_1_failed": "no luck with 1"}
    with pytest.raises(UqbenchError, match=r"2 of 3 members failed to train.*no luck with 0"):
        DeepEnsemble(3).fit(fails(0, 2), np.random.default_rng(0))
    with pytest.raises(UqbenchError, match="needs at least 2"):
        DeepEnsemble(1)


def test_mean_and_spread_are_those_of_the_members_and_intervals_are_students():
    """Against each member's own calculator, and Student's t with M - 1 degrees of freedom."""
    from scipy.stats import t

    posterior = DeepEnsemble(4).fit(toy_network_problem(toy_frames()), np.random.default_rng(0))
    prediction = posterior.predict(unseen_structures())
    forces = []
    for calculator in posterior.members():
        found = []
        for atoms in unseen_structures():
            atoms = atoms.copy()
            atoms.calc = calculator
            found.append(atoms.get_forces().ravel())
        forces.append(np.concatenate(found))
    mean, std = np.mean(forces, axis=0), np.std(forces, axis=0, ddof=1)
    np.testing.assert_allclose(prediction.forces.mean, mean, atol=1e-10)
    np.testing.assert_allclose(prediction.forces.std, std, atol=1e-10)
    interval = prediction.forces.interval(0.95)
    assert interval.rule == "student"
    np.testing.assert_allclose(interval.upper, mean + t.ppf(0.975, 3) * std * np.sqrt(1.25), atol=1e-9)
