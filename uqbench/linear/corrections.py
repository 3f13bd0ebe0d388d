"""Pointwise-optimal corrections: for each training row the cheapest change of θ that reproduces it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from uqbench.api import Array, Kind, LinearProblem, RowBlock
from uqbench.linear.arrays import Device
from uqbench.linear.ridge import Ridge

LEVERAGE_FLOOR = 1e-4
"""Least leverage, relative to the mean of its kind."""


class Corrections(Protocol):
    """Corrections Δθ to a ridge regression, in whitened coordinates: Δθ = W Δw.

    A prediction's row, whitened as z = Wᵀx, changes by z·Δw.
    """

    @property
    def ridge(self) -> Ridge:
        """The fit they correct."""
        ...

    @property
    def moment(self) -> Array:
        """Σ Δw Δwᵀ, (P, P)."""
        ...

    def whitened(self) -> Iterator[Device]:
        """Blocks (b, P) of Δw on the ridge's device; n × P numbers never stand in memory."""
        ...

    def __len__(self) -> int:
        """How many there are in all."""
        ...


@dataclass(frozen=True)
class PointwiseCorrections:
    """Δθ_n = (e_n/h_n) C⁻¹x_n with C⁻¹ = S (Swinburne & Perez 2025), leverages floored within each kind.

    steps: e_n/h_n, (b,) for each block of the problem. moment: see Corrections.
    """

    problem: LinearProblem
    ridge: Ridge
    steps: tuple[Array, ...]
    moment: Array

    @classmethod
    def of(
        cls, problem: LinearProblem, ridge: Ridge, floor: Mapping[Kind, float] | None = None
    ) -> PointwiseCorrections:
        """One pass over the rows. floor: least xᵀSx of each kind; 1e-4 of its mean unless given."""
        if floor is None:
            floor = ridge.leverage_floor(LEVERAGE_FLOOR)
        p = problem.n_features
        arrays = ridge.arrays
        steps, moment = [], arrays.zeros(p, p)
        for block in problem.blocks():
            z = ridge.whiten(block.rows)
            leverage = arrays.squared_norms(z)
            for kind, part in block.parts():
                np.maximum(leverage[part], floor[kind], out=leverage[part])
            residual = block.labels - block.rows @ ridge.mean
            step = np.divide(residual, leverage, out=np.zeros_like(residual), where=leverage > 0)
            z *= arrays.put(step)[:, None]
            moment += z.T @ z
            steps.append(step)
        return cls(problem, ridge, tuple(steps), arrays.get(moment))

    def blocks(self) -> Iterator[tuple[RowBlock, Array]]:
        """The training rows again, with their e_n/h_n."""
        return zip(self.problem.blocks(), self.steps, strict=True)

    def whitened(self) -> Iterator[Device]:
        """Blocks (b, P) of Δw = (e_n/h_n) z_n."""
        for block, step in self.blocks():
            z = self.ridge.whiten(block.rows)
            z *= self.ridge.arrays.put(step)[:, None]
            yield z

    def __len__(self) -> int:
        return sum(self.problem.counts.values())
