"""A method, fitted to the toy structures: what the checks look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.random import default_rng

from uqbench.api import KINDS, Array, LinearMethod, ParameterPosterior, Prediction, Predictions
from uqbench.check.finding import Broken
from uqbench.check.toy_data import toy_frames
from uqbench.check.toy_problem import ToyProblem, rows_by_kind
from uqbench.linear.model import LinearPosterior


@dataclass(frozen=True)
class Trial:
    """method: under check. parameters: its posterior of the toy problem."""

    method: LinearMethod
    toy: ToyProblem
    parameters: ParameterPosterior

    @classmethod
    def of(cls, method: LinearMethod) -> Trial:
        """Fit to all toy structures. Raises Broken if that gives no posterior."""
        toy = ToyProblem.of(toy_frames())
        return cls(method, toy, fit(method, toy))

    @property
    def potential(self) -> LinearPosterior:
        """The posterior as a potential on the toy backbone."""
        return self.toy.potential(self.parameters)


def fit(method: LinearMethod, toy: ToyProblem, seed: int = 0) -> ParameterPosterior:
    """The method's posterior; raises Broken if it is of another type."""
    parameters = method.fit(toy.problem, default_rng(seed))
    if not isinstance(parameters, ParameterPosterior):
        raise Broken(
            f"fit returns a {type(parameters).__name__}; return a ParameterPosterior, such as those in "
            "uqbench.linear (Gaussian, Samples, Box, Hull)."
        )
    return parameters


def predict_toy_rows(parameters: ParameterPosterior) -> Predictions:
    """Predictions of all rows of the toy structures."""
    return Predictions(**{k: parameters.predict_rows(r, k) for k, r in rows_by_kind(toy_frames()).items()})


def arrays_of(prediction: Prediction) -> Iterator[tuple[str, Array | None]]:
    """The fields of a prediction that hold arrays."""
    for field in fields(prediction):
        if field.name != "nominal":
            yield field.name, getattr(prediction, field.name)


def require_equal(one: Predictions, other: Predictions, told: str, tolerance: float = 0.0) -> None:
    """Raise Broken, naming the first difference, unless predictions agree (relative to their largest value)."""
    for kind in KINDS:
        a, b = getattr(one, kind), getattr(other, kind)
        if (a is None) != (b is None):
            raise Broken(f"{told}: {kind} is predicted in one case and not in the other.")
        if a is None:
            continue
        for (name, x), (_, y) in zip(arrays_of(a), arrays_of(b), strict=True):
            if (x is None) != (y is None):
                raise Broken(f"{told}: {name} of {kind} is given in one case and not in the other.")
            if x is None or y is None:
                continue
            if x.shape != y.shape:
                raise Broken(
                    f"{told}: {name} of {kind} has shape {x.shape} in one case and {y.shape} in the other."
                )
            apart = np.abs(x - y)
            if apart.size and apart.max() > tolerance * (1.0 + np.abs(x).max()):
                raise Broken(f"{told}: {name} of {kind} differs by up to {apart.max():.3g}.")
