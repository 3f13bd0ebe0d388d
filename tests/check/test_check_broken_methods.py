"""Methods that break one rule each, and the sentence that each is told."""

import random
import re
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from uqbench.api import LinearMethod, Prediction
from uqbench.check.method import check_method
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.posteriors import Gaussian
from uqbench.registry import Registry


def ridge_posterior(problem):
    ridge = fit_ridge(problem)
    return Gaussian(ridge.mean, ridge.whitener, {}, ridge.facts)


@dataclass(frozen=True)
class Sound(LinearMethod):
    def fit(self, problem, rng):
        return ridge_posterior(problem)


def with_fit(fit):
    """A method that has this fit."""
    return dataclass(frozen=True)(type("Bad", (LinearMethod,), {"fit": fit, "__module__": __name__}))


@dataclass(frozen=True)
class Tampered(Gaussian):
    """A sound posterior but for one function, which sees the sound prediction."""

    change: object = None

    def predict_rows(self, rows, kind):
        return self.change(super().predict_rows(rows, kind), rows, kind)


def with_prediction(change):
    def fit(self, problem, rng):
        sound = ridge_posterior(problem)
        return Tampered(sound.mean, sound.factor, sound.noise, sound.facts, change=change)

    return with_fit(fit)


def with_posterior(**members):
    """A method whose posterior is sound but for these members of its class."""
    cls = type("Odd", (Gaussian,), members)
    return with_fit(lambda self, problem, rng: cls(*vars(ridge_posterior(problem)).values()))


def findings_of(method):
    return check_method("bad", Registry({"bad": method}, {}, {}, {}))


def failed(method):
    return {f.what: f.words for f in findings_of(method) if f.status == "failed"}


def test_a_sound_method_passes():
    assert failed(Sound) == {}


def writes_into_rows(self, problem, rng):
    for block in problem.blocks():
        block.rows[:] *= 2.0
        block.labels[:] *= 2.0
    return ridge_posterior(problem)


def uses_global_random(self, problem, rng):
    sound = ridge_posterior(problem)
    return replace(sound, mean=sound.mean + 1e-9 * np.random.standard_normal(len(sound.mean)))  # noqa: NPY002


def seeds_global_random(self, problem, rng):
    np.random.seed(0)  # noqa: NPY002
    return ridge_posterior(problem)


def uses_python_random(self, problem, rng):
    random.random()
    return ridge_posterior(problem)


def unseeded(self, problem, rng):
    sound = ridge_posterior(problem)
    return replace(sound, factor=sound.factor * np.random.default_rng().uniform(1, 1.001))


MEMORY = []


def remembers(self, problem, rng):
    MEMORY.append(1)
    sound = ridge_posterior(problem)
    return replace(sound, factor=sound.factor * len(MEMORY))


def needs_forces(self, problem, rng):
    problem.counts["forces"]
    return ridge_posterior(problem)


def needs_clusters(self, problem, rng):
    if len(problem.clusters) < 2:
        sound = ridge_posterior(problem)
        return replace(sound, noise={"energy": np.nan})
    return ridge_posterior(problem)


def forgets_column_scale(self, problem, rng):
    return Gaussian(50.0 * ridge_posterior(problem).mean, np.eye(problem.n_features), {})


@pytest.mark.parametrize(
    ("fit", "what", "words"),
    [
        (writes_into_rows, "inputs left alone", r"fit writes into its input \(rows of block 0\).*copies"),
        (uses_global_random, "same seed, same result", "two fits with the same seed differ .*mean of energy"),
        (uses_global_random, "global random state left alone", "NumPy's global random state"),
        (seeds_global_random, "global random state left alone", "NumPy's global random state"),
        (uses_python_random, "global random state left alone", "Python's global random state"),
        (unseeded, "same seed, same result", "std of energy differs"),
        (remembers, "same seed, same result", "keep no state between fits.*std of energy"),
        (
            needs_forces,
            "energies alone",
            r"KeyError: 'forces' \(test_check_broken_methods.py, line \d+: problem",
        ),
        (needs_clusters, "one training structure", "UqbenchError: Prediction.std is nan"),
        (forgets_column_scale, "units", "worse than their mean does .*scaled back"),
        (lambda self, problem, rng: np.zeros(3), "fit", "fit returns a ndarray; return a ParameterPosterior"),
        (lambda self, problem, rng: None, "fit", "fit returns a NoneType; return a ParameterPosterior"),
        (lambda self, problem, rng: 1 / 0, "fit", r"ZeroDivisionError: division by zero \(test_check_broken"),
        (lambda self, problem, rng: sys.exit("bye"), "fit", r"SystemExit: bye \(test_check_broken"),
    ],
)
def test_a_bad_fit_is_told_what_is_wrong(fit, what, words):
    found = failed(with_fit(fit))
    assert what in found
    assert re.search(words, found[what]), found[what]


def overwrites(prediction, rows, kind):
    rows *= 2.0
    return prediction


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (lambda p, r, k: replace(p, mean=p.mean * np.nan), "predictions of rows", "Prediction.mean is nan"),
        (lambda p, r, k: replace(p, std=-1.0 - p.std), "predictions of rows", "Prediction.std is negative"),
        (lambda p, r, k: replace(p, std=p.std[:, None]), "predictions of rows", "Prediction.std has shape"),
        (
            lambda p, r, k: replace(p, lower=p.mean + 1.0, upper=p.mean + 2.0, nominal=1.0),
            "predictions of rows",
            "outside its stated bounds",
        ),
        (
            lambda p, r, k: (p.mean, p.std),
            "predictions of rows",
            "returns a tuple for energy; return a uqbench",
        ),
        (lambda p, r, k: p.take(np.arange(1)), "predictions of rows", "gives 1 predictions for 19 rows"),
        (lambda p, r, k: Prediction(p.mean), "predictions of rows", "states no uncertainty"),
        (overwrites, "predictions of rows", "writes into the rows of energy"),
        (
            lambda p, r, k: p if len(r) else 1 / 0,
            "predictions of rows",
            "ZeroDivisionError",
        ),
        (
            lambda p, r, k: replace(p, std=np.full(len(p), p.std.max(initial=0.0))),
            "none, one or many structures",
            "structure 0 predicted alone and among others .*std of energy differs",
        ),
        (
            lambda p, r, k: replace(p, mean=p.mean * 1.01) if k == "forces" else p,
            "energy, forces and stress of one potential",
            "mean forces differ from minus the gradient of the mean energy",
        ),
        (
            lambda p, r, k: replace(p, mean=-p.mean) if k == "stress" else p,
            "energy, forces and stress of one potential",
            "mean stress differ from the strain derivative",
        ),
    ],
)
def test_a_bad_prediction_is_told_what_is_wrong(change, what, words):
    found = failed(with_prediction(change))
    assert what in found, found
    assert re.search(words, found[what]), found[what]


def draws_from_nowhere(self, n, rng):
    return self.mean + np.random.default_rng().standard_normal((n, len(self.mean)))


@pytest.mark.parametrize(
    ("members", "what", "words"),
    [
        (
            {"samples": lambda self, n, rng: np.tile(self.mean[:, None], n)},
            "draws of coefficients",
            r"shape \(11, 1\)",
        ),
        ({"samples": lambda self, n, rng: None}, "draws of coefficients", "is of type NoneType; an array"),
        (
            {"samples": draws_from_nowhere},
            "draws of coefficients",
            "other draws for a generator of the same seed",
        ),
        (
            {"support": lambda self, d: (d @ self.mean, d @ self.mean)},
            "bounds of coefficients",
            "200 of 200 draws lie outside the bounds",
        ),
        (
            {"support": lambda self, d: (d @ self.mean - 1e9, d @ self.mean + 1e9)},
            "bounds of coefficients",
            "support of -2 d is not -2 times",
        ),
        (
            {"support": lambda self, d: 3.0},
            "bounds of coefficients",
            "support returns a float; return two arrays",
        ),
    ],
)
def test_a_bad_posterior_is_told_what_is_wrong(members, what, words):
    found = failed(with_posterior(**members))
    assert what in found, found
    assert re.search(words, found[what]), found[what]


@pytest.mark.parametrize(
    ("changes", "what", "words"),
    [
        ({"mean": np.zeros(3)}, "mean coefficients", r"mean has shape \(3,\); \(11,\) is needed"),
        ({"mean": [0.0] * 11}, "mean coefficients", "mean is of type list; an array of float64 is needed"),
        ({"mean": np.full(11, np.nan)}, "mean coefficients", "mean holds 11 numbers that are not finite"),
        ({"facts": {"n": np.int64(3)}}, "facts", r"facts\['n'\] is .*3.*, a int64; a float or text"),
        ({"facts": {"n": np.zeros(2)}}, "facts", "a ndarray; a float or text is needed"),
        ({"facts": {"done": True}}, "facts", "a bool; a float or text is needed"),
        (
            {"facts": {"rate": float("inf")}},
            "facts",
            r"facts\['rate'\] is inf; a record holds finite numbers",
        ),
        ({"facts": {3: 1.0}}, "facts", "facts has the key 3; keys are text"),
        ({"facts": None}, "facts", "facts is a NoneType; give a mapping"),
    ],
)
def test_bad_attributes_are_told(changes, what, words):
    found = failed(with_fit(lambda self, problem, rng: replace(ridge_posterior(problem), **changes)))
    assert re.search(words, found[what]), found[what]
