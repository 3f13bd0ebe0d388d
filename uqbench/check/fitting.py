"""Checks of fit itself: what it may depend on, and what it must leave alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import numpy as np
from numpy.random import default_rng

from uqbench.check.finding import Broken
from uqbench.check.toy_data import energies_only, toy_frames
from uqbench.check.toy_problem import ToyProblem
from uqbench.check.trial import Trial, fit, predict_toy_rows, require_equal
from uqbench.errors import UqbenchError

SEED = 2_718_281


def check_inputs(trial: Trial) -> None:
    """Neither the problem nor the method's own fields change in a fit."""
    toy = ToyProblem.of(toy_frames())
    before, fields = toy.contents(), repr(trial.method)
    fit(trial.method, toy)
    changed = [name for name, content in toy.contents().items() if content != before[name]]
    if changed:
        raise Broken(
            f"fit writes into its input ({changed[0]}); the blocks are read again by others: work on copies."
        )
    if repr(trial.method) != fields:
        raise Broken(
            f"fit changes the method's own fields from {fields} to {trial.method!r}; what is learned belongs into "
            "the posterior."
        )


def check_seed(trial: Trial) -> None:
    """The same seed gives the same result to the last bit, whatever was fitted in between."""
    fit(trial.method, ToyProblem.of(energies_only(toy_frames())), seed=1)
    again = fit(trial.method, ToyProblem.of(toy_frames()))
    told = "two fits with the same seed differ (take all randomness from rng, and keep no state between fits)"
    require_equal(predict_toy_rows(trial.parameters), predict_toy_rows(again), told)
    one, other = (p.samples(5, default_rng(1)) for p in (trial.parameters, again))
    if not np.array_equal(one, other):
        raise Broken(f"{told}: samples differ by up to {np.abs(one - other).max():.3g}.")


def check_global_state(trial: Trial) -> None:
    """NumPy's and Python's global generators stay as they are."""

    def work() -> None:
        parameters = fit(trial.method, ToyProblem.of(toy_frames()))
        predict_toy_rows(parameters)
        parameters.samples(3, default_rng(0))

    require_global_state_kept(work)


def require_global_state_kept(work: Callable[[], None]) -> None:
    """Raise Broken if work uses or seeds a global generator."""
    saved = np.random.get_state(), random.getstate()  # noqa: NPY002 (to see whether a plugin uses it)
    try:
        # A state of our own, in which no plugin's fixed seed leaves it.
        np.random.seed(SEED)  # noqa: NPY002
        random.seed(SEED)
        before = _numpy_state(), random.getstate()
        work()
        after = _numpy_state(), random.getstate()
    finally:
        np.random.set_state(saved[0])  # noqa: NPY002
        random.setstate(saved[1])
    for whose, one, other in zip(("NumPy", "Python"), before, after, strict=True):
        if one != other:
            raise Broken(
                f"{whose}'s global random state is used or seeded; take all randomness from the rng given."
            )


def check_energies_only(trial: Trial) -> None:
    """A training set without forces and stresses is a fit like any other; all kinds can still be predicted."""
    predict_toy_rows(fit(trial.method, ToyProblem.of(energies_only(toy_frames()))))


def check_one_structure(trial: Trial) -> str | None:
    """One training structure gives a fit, or a UqbenchError that says why not."""
    try:
        parameters = fit(trial.method, ToyProblem.of(toy_frames()[:1]))
    except UqbenchError as error:
        return f"refused: {error}"
    predict_toy_rows(parameters)
    return None


def _numpy_state() -> str:
    with np.printoptions(threshold=sys.maxsize):
        return repr(np.random.get_state())  # noqa: NPY002
