"""A linear regression that is misspecified to a known degree, drawn as often as one likes.

Features x ~ N(0, I_P). Labels y = θ·x + m g(x) + σ ε with ε ~ N(0, 1) and g(x) = (u² − 1)/√2, u = Σ x_p / √P, the
second Hermite polynomial along the diagonal. In population g has mean 0, variance 1 and no correlation with any
feature, so θ is the best that a linear model can do, m its irreducible error, and σ the noise of the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, LinearProblem, RowBlock
from uqbench.errors import UqbenchError

N_FEATURES = 10


@dataclass(frozen=True)
class Case:
    """n training rows, label noise σ and misfit m; coefficients θ ~ N(0, I) set the unit of all three.

    name: of the family (noise, misfit), for tables.
    """

    name: str
    n: int
    noise: float
    misfit: float

    def __post_init__(self) -> None:
        if self.n < 2 or min(self.noise, self.misfit) < 0.0 or max(self.noise, self.misfit) == 0.0:
            raise UqbenchError(
                f"case {self.name}: n is {self.n}, noise {self.noise:g}, misfit {self.misfit:g}; at least 2 rows and "
                "two numbers that are not negative, one of them positive, are needed."
            )

    @property
    def error(self) -> float:
        """Standard deviation of y − θ·x: what no amount of data removes."""
        return float(np.hypot(self.noise, self.misfit))


@dataclass(frozen=True)
class Draw:
    """Rows (n, P), labels (n,) and the best linear fit to them θ·x (n,)."""

    rows: Array
    labels: Array
    best: Array


def misfit_function(rows: Array) -> Array:
    """g (n,) at rows (n, P)."""
    u = rows.sum(axis=1) / np.sqrt(rows.shape[1])
    return (u**2 - 1.0) / np.sqrt(2.0)


def draw(case: Case, theta: Array, n: int, rng: Generator) -> Draw:
    """n fresh rows of the case with coefficients theta (P,)."""
    rows = rng.standard_normal((n, len(theta)))
    best = rows @ theta
    labels = best + case.misfit * misfit_function(rows) + case.noise * rng.standard_normal(n)
    return Draw(rows, labels, best)


def as_problem(sample: Draw) -> LinearProblem:
    """The regression of a draw: one kind of label, every row a structure and a cluster of its own."""
    n, p = sample.rows.shape
    number = np.arange(n, dtype=np.int32)
    block = RowBlock(
        sample.rows, sample.labels, np.zeros(n, np.int8), np.full(n, -1, np.int32), number, number
    )
    return LinearProblem(p, {"energy": n}, {"energy": 1.0}, number, lambda: iter([block]))
