"""Ridge regression by blocked QR, for rows too ill-conditioned for normal equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array, Kind, LinearProblem
from uqbench.linear.ridge import Ridge


@dataclass(frozen=True)
class Factors:
    """What evidence needs of the rows: R_k of a QR of each kind's rows beside their labels, columns scaled.

    triangles: K arrays (at most P + 1, P + 1).
    """

    triangles: tuple[Array, ...]

    def moments(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        """Mean (P,) of scaled coefficients, and tr SG_k (K,)."""
        from scipy.linalg import solve_triangular

        upper, moment = self._whole(alpha, lam)
        mean = solve_triangular(upper, moment)
        whitened = [solve_triangular(upper, r[:, :-1].T, trans=1) for r in self.triangles]
        return mean, np.array([np.vdot(z, z) for z in whitened])

    def residuals(self, mean: Array) -> Array:
        """‖y_k − X_k m‖² of each kind, (K,)."""
        return np.array([np.sum((r[:, :-1] @ mean - r[:, -1]) ** 2) for r in self.triangles])

    def eigen(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        """Eigenvalues, ascending, and eigenvectors of S⁻¹."""
        _, sizes, right = np.linalg.svd(self._whole(alpha, lam)[0])
        return sizes[::-1] ** 2, right[::-1].T

    def _whole(self, alpha: Array, lam: float) -> tuple[Array, Array]:
        """R (P, P) of all rows, weighted, with the prior, so that S⁻¹ = RᵀR, and what the labels are in its basis."""
        p = self.triangles[0].shape[1] - 1
        weighted = [np.sqrt(a) * r for a, r in zip(alpha, self.triangles, strict=True)]
        upper = triangular(np.concatenate([np.sqrt(lam) * np.eye(p, p + 1), *weighted]))
        return upper[:p, :p], upper[:p, p]


def factorise(problem: LinearProblem, kinds: Sequence[Kind], column_scale: Array) -> Factors:
    """One pass, a tall QR in blocks (TSQR: Demmel, Grigori, Hoemmen & Langou, SIAM J. Sci. Comput. 34, A206 (2012))."""
    found = {kind: np.empty((0, problem.n_features + 1)) for kind in kinds}
    for block in problem.blocks():
        for kind, part in block.parts():
            rows = np.column_stack([block.rows[part] / column_scale, block.labels[part]])
            found[kind] = triangular(np.concatenate([found[kind], rows]))
    return Factors(tuple(found.values()))


def second_look(problem: LinearProblem, ridge: Ridge) -> dict[str, Array]:
    """Residuals and mean leverages straight from the rows; normal equations cancel too many digits."""
    square = dict.fromkeys(ridge.kinds, 0.0)
    leverage = dict.fromkeys(ridge.kinds, 0.0)
    for block in problem.blocks():
        for kind, part in block.parts():
            residual = block.labels[part] - block.rows[part] @ ridge.mean
            square[kind] += float(residual @ residual)
            leverage[kind] += float(ridge.arrays.squared_norms(ridge.whiten(block.rows[part])).sum())
    count = np.array([problem.counts[k] for k in ridge.kinds], dtype=float)
    return {
        "residual_rms": np.sqrt(np.array([square[k] for k in ridge.kinds]) / count),
        "mean_leverage": np.array([leverage[k] for k in ridge.kinds]) / count,
    }


def triangular(matrix: Array) -> Array:
    """R, upper triangular, of the QR decomposition of a matrix (n, p)."""
    return np.linalg.qr(matrix, mode="r")  # pyright: ignore[reportReturnType]
