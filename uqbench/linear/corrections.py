"""Pointwise-optimal corrections: for each training row the cheapest change of θ that reproduces it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from uqbench.api import Array, Kind, LinearProblem
from uqbench.linear.evidence import Ridge
from uqbench.linear.posteriors import squared_norms

LEVERAGE_FLOOR = 1e-4
"""Least leverage, relative to the mean of its kind."""


@dataclass(frozen=True)
class PointwiseCorrections:
    """Δθ_n = (e_n/h_n) C⁻¹x_n with C⁻¹ = S (Swinburne & Perez 2025), leverages floored within each kind.

    Corrections are kept in whitened coordinates Δw = (e_n/h_n) z_n, z_n = Wᵀx_n, h_n = |z_n|², so that a row
    of a prediction, whitened by the same W, gives its change by a dot product. They are produced block by
    block whenever asked for; n × P numbers never stand in memory.
    """

    problem: LinearProblem
    ridge: Ridge
    mean_leverage: Mapping[Kind, float]

    @classmethod
    def of(cls, problem: LinearProblem, ridge: Ridge) -> PointwiseCorrections:
        """One pass over the rows, for the mean leverage of each kind."""
        return cls(problem, ridge, mean_leverages(problem, ridge))

    def whitened(self) -> Iterator[Array]:
        """Blocks (b, P) of Δw."""
        for block in self.problem.blocks():
            z = block.rows @ self.ridge.whitener
            leverage = squared_norms(z)
            for kind, part in block.parts():
                np.maximum(leverage[part], LEVERAGE_FLOOR * self.mean_leverage[kind], out=leverage[part])
            residual = block.labels - block.rows @ self.ridge.mean
            yield z * np.divide(residual, leverage, out=np.zeros_like(residual), where=leverage > 0)[:, None]

    def __len__(self) -> int:
        return sum(self.problem.counts.values())


class Corrections(Protocol):
    """Corrections to a ridge regression, whitened, in blocks."""

    @property
    def ridge(self) -> Ridge:
        """The fit they correct."""
        ...

    def whitened(self) -> Iterator[Array]:
        """Blocks (b, P) of Δw."""
        ...

    def __len__(self) -> int:
        """How many there are in all."""
        ...


def mean_leverages(problem: LinearProblem, ridge: Ridge) -> dict[Kind, float]:
    """Mean of h_n = x_nᵀSx_n over the rows of each kind; one pass."""
    total = dict.fromkeys(problem.counts, 0.0)
    for block in problem.blocks():
        for kind, part in block.parts():
            total[kind] += float(squared_norms(block.rows[part] @ ridge.whitener).sum())
    return {k: total[k] / n for k, n in problem.counts.items()}


def second_moment(corrections: Corrections) -> Array:
    """Σ Δw Δwᵀ over all corrections, (P, P), whitened."""
    p = len(corrections.ridge.mean)
    total = np.zeros((p, p))
    for block in corrections.whitened():
        total += block.T @ block
    return total
