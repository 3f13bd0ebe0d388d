"""The baseline of methods for networks, on toy networks."""

from dataclasses import replace

import numpy as np
import pytest

from uqbench.api import KINDS, HasJointNoise, HasMembers
from uqbench.check.toy_data import toy_frames, unseen_structures
from uqbench.check.toy_network import toy_network_problem
from uqbench.linear.references import reference_energy
from uqbench_methods.constant_network import ConstantNetwork

RNG = np.random.default_rng(0)


def test_error_bars_are_the_rms_of_training_errors_and_means_are_the_networks_own():
    problem = toy_network_problem(toy_frames())
    posterior = ConstantNetwork().fit(problem, RNG)
    network = problem.train(0)
    squares = {kind: [] for kind in KINDS}
    for frame in problem.frames:
        (rows,) = network.rows([frame.atoms])
        values, n = rows @ network.weights, len(frame.atoms)
        energy = [values[0] + reference_energy(frame.atoms, problem.references)]
        for kind, mean in zip(KINDS, (energy, values[1 : 1 + 3 * n], values[1 + 3 * n :]), strict=True):
            labels = frame.labels(kind)
            if labels is not None:
                squares[kind] += list(((labels - mean) ** 2)[frame.free(kind)])
    prediction, (atoms, *_) = posterior.predict(unseen_structures()), unseen_structures()
    for kind in KINDS:
        std = getattr(prediction, kind).std
        np.testing.assert_allclose(std, np.sqrt(np.mean(squares[kind])), rtol=1e-12)
        assert posterior.facts[f"std_{kind}"] == pytest.approx(std[0])
    (own,) = network.predict([atoms])
    assert prediction.energy.mean[0] == pytest.approx(own.energy / len(atoms))
    np.testing.assert_allclose(prediction.forces.mean[: own.forces.size], own.forces.ravel())


def test_what_was_not_trained_on_is_not_predicted():
    frames = [replace(frame, stress=None) for frame in toy_frames()]
    posterior = ConstantNetwork().fit(toy_network_problem(frames), RNG)
    assert posterior.predict(unseen_structures()).stress is None
    assert "std_stress" not in posterior.facts


def test_it_carries_no_simulation_results():
    posterior = ConstantNetwork().fit(toy_network_problem(toy_frames()), RNG)
    assert not isinstance(posterior, HasMembers | HasJointNoise)
