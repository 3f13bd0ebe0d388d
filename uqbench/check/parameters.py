"""Checks of what fit returns: the posterior over coefficients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import default_rng

from uqbench.api import Array, Prediction
from uqbench.check.finding import Broken, Skipped
from uqbench.check.toy_data import toy_frames
from uqbench.check.toy_problem import rows_by_kind
from uqbench.check.trial import Trial, arrays_of

N_DRAWS = 200


def check_mean(trial: Trial) -> None:
    """The mean is a vector of P finite numbers."""
    _require_numbers("mean", trial.parameters.mean, (trial.toy.problem.n_features,))


def check_facts(trial: Trial) -> None:
    """Facts go into a JSON record."""
    require_facts(trial.parameters.facts)


def require_facts(facts: object) -> None:
    """Raise Broken unless facts is a mapping of names to finite numbers or text."""
    if not isinstance(facts, Mapping):
        raise Broken(
            f"facts is a {type(facts).__name__}; give a mapping of names to numbers or text ({{}} will do)."
        )
    for name, value in facts.items():
        if not isinstance(name, str):
            raise Broken(f"facts has the key {name!r}; keys are text.")
        if isinstance(value, bool) or not isinstance(value, float | str):
            raise Broken(
                f"facts[{name!r}] is {value!r}, a {type(value).__name__}; a float or text is needed: "
                f"write float({name}) or str({name})."
            )
        if isinstance(value, float) and not np.isfinite(value):
            raise Broken(f"facts[{name!r}] is {value}; a record holds finite numbers only: say it in text.")


def check_rows(trial: Trial) -> None:
    """Each kind has a prediction a row, with an uncertainty; Prediction itself checks numbers and order."""
    for kind, rows in rows_by_kind(toy_frames()).items():
        before = rows.copy()
        for part in (rows, rows[:1], rows[:0]):
            prediction = trial.parameters.predict_rows(part, kind)
            if not isinstance(prediction, Prediction):
                raise Broken(
                    f"predict_rows returns a {type(prediction).__name__} for {kind}; return a uqbench.api.Prediction."
                )
            if len(prediction) != len(part):
                raise Broken(
                    f"predict_rows gives {len(prediction)} predictions for {len(part)} rows of {kind}; "
                    "one a row is needed, in their order."
                )
            if all(v is None for name, v in arrays_of(prediction) if name != "mean"):
                raise Broken(
                    f"the prediction of {kind} states no uncertainty; give std, samples, or lower, upper and nominal."
                )
        if not np.array_equal(rows, before):
            raise Broken(f"predict_rows writes into the rows of {kind} it is given; work on a copy.")


def check_samples(trial: Trial) -> None:
    """Draws are (n, P), finite, and come from the generator alone."""
    p = trial.toy.problem.n_features
    for n in (1, N_DRAWS):
        draws = trial.parameters.samples(n, default_rng(1))
        _require_numbers(f"samples({n}, rng)", draws, (n, p))
        if not np.array_equal(draws, trial.parameters.samples(n, default_rng(1))):
            raise Broken(
                "samples gives other draws for a generator of the same seed; take all randomness from the rng given."
            )


def check_support(trial: Trial) -> None:
    """Bounds of directions · θ enclose the draws and scale with the direction."""
    parameters = trial.parameters
    directions = default_rng(2).standard_normal((8, trial.toy.problem.n_features))
    support = parameters.support(directions)
    if support is None:
        raise Skipped("this posterior states no bounds of its coefficients (support gives None).")
    if not isinstance(support, tuple) or len(support) != 2:
        raise Broken(
            f"support returns a {type(support).__name__}; return two arrays (n,): least and greatest."
        )
    lower, upper = support
    _require_numbers("the lower end of support", lower, (8,))
    _require_numbers("the upper end of support", upper, (8,))
    draws = parameters.samples(N_DRAWS, default_rng(3)) @ directions.T
    slack = 1e-8 * (1.0 + np.abs(draws).max())
    escaped = (draws < lower - slack) | (draws > upper + slack)
    if escaped.any():
        raise Broken(
            f"{int(escaped.any(axis=1).sum())} of {N_DRAWS} draws lie outside the bounds that support gives; it is "
            "the exact least and greatest over all coefficients that samples can draw."
        )
    mirrored = parameters.support(-2.0 * directions)
    if mirrored is None or not (
        np.allclose(mirrored[0], -2.0 * upper, rtol=1e-8, atol=slack)
        and np.allclose(mirrored[1], -2.0 * lower, rtol=1e-8, atol=slack)
    ):
        raise Broken(
            "support of -2 d is not -2 times that of d with its ends exchanged; the extremes of a linear function "
            "are."
        )


def check_extremes(trial: Trial) -> None:
    """The coefficients at the ends of the bounds are where direction · θ takes the values that support gives."""
    parameters, p = trial.parameters, trial.toy.problem.n_features
    direction = default_rng(4).standard_normal(p)
    support, extremes = parameters.support(direction[None]), parameters.extremes(direction)
    if support is None and extremes is None:
        raise Skipped("this posterior states no bounds of its coefficients (extremes gives None).")
    if support is None or extremes is None:
        raise Broken("of support and extremes one gives bounds and the other None; give both or neither.")
    _require_numbers("extremes", extremes, (2, p))
    ends, told = extremes @ direction, np.concatenate(support)
    if not np.allclose(ends, told, rtol=1e-8, atol=1e-8 * (1.0 + np.abs(told).max())):
        raise Broken(f"direction · extremes is {ends}, support gives {told}; they are the same ends.")


def _require_numbers(what: str, values: Array, shape: tuple[int, ...]) -> None:
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        kind = getattr(values, "dtype", type(values).__name__)
        raise Broken(f"{what} is of type {kind}; an array of float64 is needed.")
    if values.shape != shape:
        raise Broken(f"{what} has shape {values.shape}; {shape} is needed.")
    if not np.isfinite(values).all():
        raise Broken(f"{what} holds {int((~np.isfinite(values)).sum())} numbers that are not finite.")
