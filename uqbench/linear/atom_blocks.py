"""POPS corrections of whole atoms: the cheapest change of θ that reproduces all force components of one atom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Kind, LinearProblem, RowBlock
from uqbench.errors import UqbenchError
from uqbench.linear.arrays import Device
from uqbench.linear.corrections import LEVERAGE_FLOOR
from uqbench.linear.ridge import Ridge

KINDS_USED: tuple[Kind, ...] = ("energy", "forces")


@dataclass(frozen=True)
class AtomBlockCorrections:
    """Δθ_i = C⁻¹X_iᵀ(H_i + εI)⁻¹e_i with H_i = X_iC⁻¹X_iᵀ, X_i the force rows of atom i, or one energy row.

    Rotating an atom's axes changes no Δθ_i, unlike corrections component by component. Those whose cost
    e_iᵀ(H_i + εI)⁻¹e_i is above `most` of its kind are left out. ε is the leverage floor of the kind.
    Whitened, as PointwiseCorrections.
    """

    problem: LinearProblem
    ridge: Ridge
    floor: Mapping[Kind, float]
    most: Mapping[Kind, float]
    count: int

    @classmethod
    def of(cls, problem: LinearProblem, ridge: Ridge, trim: float) -> AtomBlockCorrections:
        """Two passes over the rows: mean leverages, then the `trim` quantile of the costs of each kind.

        Raises UqbenchError if there are neither energies nor forces.
        """
        floor = ridge.leverage_floor(LEVERAGE_FLOOR)
        costs: dict[Kind, list[Array]] = {}
        everything = cls(problem, ridge, floor, {}, 0)
        for kind, _, cost in everything._solved():
            costs.setdefault(kind, []).append(cost)
        if not costs:
            raise UqbenchError(
                "corrections of atoms need energies or forces to train on; found only stresses: use another method."
            )
        pooled: dict[Kind, Array] = {k: np.concatenate(parts) for k, parts in costs.items()}
        most: dict[Kind, float] = {k: float(np.quantile(values, trim)) for k, values in pooled.items()}
        return cls(problem, ridge, floor, most, sum(int((v <= most[k]).sum()) for k, v in pooled.items()))

    def whitened(self) -> Iterator[Device]:
        """Blocks (b, P) of Δw."""
        for kind, change, cost in self._solved():
            yield self.ridge.arrays.take(change, np.flatnonzero(cost <= self.most[kind]))

    @property
    def moment(self) -> Array:
        """Σ Δw Δwᵀ, (P, P); one pass."""
        p = len(self.ridge.mean)
        return self.ridge.arrays.get(sum((w.T @ w for w in self.whitened()), self.ridge.arrays.zeros(p, p)))

    def __len__(self) -> int:
        return self.count

    def _solved(self) -> Iterator[tuple[Kind, Device, Array]]:
        """Kind, corrections (b, P) and their costs (b,)."""
        arrays = self.ridge.arrays
        xp = arrays.xp
        for block in self.problem.blocks():
            z = self.ridge.whiten(block.rows)
            residual = block.labels - block.rows @ self.ridge.mean
            for kind, part in block.parts():
                # A floor of zero: all rows of the kind are zero, and nothing moves them.
                if kind not in KINDS_USED or self.floor[kind] == 0.0:
                    continue
                for index in _same_atom(block, part):
                    rows, e = arrays.take(z, index), arrays.put(residual[index])[..., None]
                    transposed = xp.matrix_transpose(rows)
                    floor = arrays.put(self.floor[kind] * np.eye(index.shape[1]))
                    solved = xp.linalg.solve(rows @ transposed + floor, e)
                    yield kind, (transposed @ solved)[..., 0], arrays.get(xp.sum(e * solved, axis=(1, 2)))


def _same_atom(block: RowBlock, part: slice) -> Iterator[NDArray[np.int64]]:
    """Row numbers (b, k) of the atoms that have k rows here, for each k (symmetry leaves some fewer than 3)."""
    owner = np.stack([block.structure[part], block.atom[part]])
    starts = np.flatnonzero(np.append(True, np.any(np.diff(owner) != 0, axis=0)))
    sizes = np.diff(np.append(starts, owner.shape[1]))
    for k in np.unique(sizes):
        yield starts[sizes == k][:, None] + np.arange(k) + part.start
