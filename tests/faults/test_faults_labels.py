"""Labels of the test set can't be reached through what fit and predict are given."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from faults.command_runs import make_place
from reachable import numbers

from uqbench.api import LinearMethod, NetworkBackbone, NetworkMethod, Posterior
from uqbench.check.toy_backbone import ToyPairs
from uqbench.check.toy_data import ELEMENTS
from uqbench.check.toy_network import toy_training
from uqbench.data.dataset import load_dataset
from uqbench.data.split import make_split
from uqbench.linear.posteriors import Gaussian
from uqbench.spec import Spec
from uqbench.suite.fitters import NetworkFitter, RowFitter
from uqbench.suite.handed import handed_over
from uqbench.suite.job import Job
from uqbench.suite.plan import Fit

FOUND: dict[str, set[float]] = {}


@dataclass(frozen=True)
class SpyingLinear(LinearMethod):
    def fit(self, problem, rng):
        FOUND["fit"] = numbers(problem, rng, [*problem.blocks()], problem.blocks())
        return Gaussian(np.zeros(problem.n_features), np.zeros((problem.n_features, 0)), {"energy": 1.0})


class SpyingPosterior(Posterior):
    facts: ClassVar = {}

    def __init__(self, inner):
        self.inner = inner

    def predict(self, structures):
        FOUND["predict"] = numbers(self.inner, structures)
        return self.inner


@dataclass(frozen=True)
class SpyingNetwork(NetworkMethod):
    def fit(self, problem, rng):
        network = problem.train(0)
        FOUND["fit"] = numbers(problem, rng, network)
        return SpyingPosterior(problem)


@dataclass(frozen=True)
class ToyNet(NetworkBackbone):
    def train(self, request):
        return toy_training(request.frames, request.references, request.seed)

    def load(self, path):
        raise NotImplementedError


@pytest.fixture
def job(tmp_path):
    place = make_place(tmp_path)
    dataset = load_dataset(place / "copper.xyz")
    fit = Fit("copper.xyz", Spec("pairs"), Spec("spy"), ("forces",), 1.0, 0, "cpu")
    scales = {"energy": 0.005, "forces": 0.1, "stress": 0.005}
    split = make_split(dataset, 0, 1.0)
    return Job(
        fit, dataset, split, scales, {"forces": "0"}, (), tmp_path / "cache" / "rows", tmp_path / "records"
    )


def labels(job, indices):
    frames = [job.dataset.frames[i] for i in indices]
    energies = {round(f.energy, 9) for f in frames} | {round(f.energy / len(f.atoms), 9) for f in frames}
    forces = {round(float(x), 9) for f in frames for x in f.forces.ravel()}
    return energies | forces | {round(float(x), 9) for f in frames for x in f.stress.ravel()}


def in_units(job, indices):
    """Training labels as a linear method sees them, to know that the search finds what is there."""
    return {round(float(x) / 0.1, 9) for i in indices for x in job.dataset.frames[i].forces.ravel()}


def test_the_search_finds_what_is_there(job):
    """In a closure, an attribute, a slot and a generator."""
    frame = job.dataset.frames[0]

    class Slotted:
        __slots__ = ("inside",)

    slotted = Slotted()
    slotted.inside = {"deep": [frame]}
    for holder in (lambda: frame, slotted, (x for x in [frame]), RowFitter.fit.__get__(frame)):
        assert labels(job, [0]) & numbers(holder)


def test_a_linear_method_sees_no_label_but_those_it_is_fitted_to(job):
    fitter = RowFitter(job, print, ToyPairs(), SpyingLinear())
    fold = job.split.folds[0]
    fitted = fitter.fit(0, fold, "fold")
    unseen = [*fold.calibration, *fold.test, *fold.held_out]
    assert in_units(job, fold.train) & FOUND["fit"]
    scales = (1.0, 0.1, 0.005)
    secret = {round(x / s, 9) for x in labels(job, unseen) for s in scales if abs(x) > 1e-6}
    assert not secret & FOUND["fit"]
    structures = [f.atoms for f in handed_over([job.dataset.frames[i] for i in fold.test])]
    assert not secret & numbers(fitted.posterior, fitted.fresh, structures)


def test_a_network_method_sees_no_label_but_those_it_is_trained_on(job, monkeypatch):
    from uqbench.suite.networks import NetworkStore, StoredNetwork, Training

    def network(self, request, name):
        return StoredNetwork("key", self.backbone.train(request), Training(0.0, 0.0, 0, 0.0))

    monkeypatch.setattr(NetworkStore, "network", network)
    frames = job.dataset.frames
    assert set(frames[0].atoms.get_chemical_symbols()) <= set(ELEMENTS)
    job = replace(job, fit=replace(job.fit, backbone=Spec("toy")))
    fold = job.split.folds[0]
    fitted = NetworkFitter(job, print, ToyNet(), SpyingNetwork()).fit(0, fold, "fold")
    unseen = labels(job, [*fold.calibration, *fold.test, *fold.held_out])
    unseen = {x for x in unseen if abs(x) > 1e-6} - labels(job, fold.train)
    assert labels(job, fold.train) & FOUND["fit"]
    assert not unseen & FOUND["fit"]
    fitted.posterior.predict([f.atoms for f in handed_over([frames[i] for i in fold.test])])
    assert not unseen & FOUND["predict"]


def test_what_is_handed_over_leaves_the_dataset_as_it_is(job):
    frame = job.dataset.frames[0]
    copy = handed_over([frame])[0]
    before = frame.forces.copy(), frame.atoms.positions.copy()
    with pytest.raises(ValueError, match="read-only"):
        copy.forces[:] = 0.0
    copy.atoms.positions[:] = 7.0
    copy.atoms.info["label"] = 1
    assert (frame.forces == before[0]).all()
    assert (frame.atoms.positions == before[1]).all()
    assert not frame.atoms.info
    assert frame.atoms.calc is None
