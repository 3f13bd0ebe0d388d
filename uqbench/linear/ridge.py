"""A fitted ridge regression: mean, covariance and what the record says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uqbench.api import Array, Kind, RowBlock, Weights
from uqbench.linear.arrays import Arrays, Device


@dataclass(frozen=True)
class Ridge:
    """Posterior N(mean, S) of coefficients; in scaled columns S⁻¹ = λI + Σ α_k G_k.

    mean: (P,) coefficients θ in the backbone's units. prior_precision: λ, of scaled columns; (P,) where each
    column has its own. noise_precision: α_k by which rows of a kind weigh; one value for all if weights are stated.
    noise: standard deviation of the noise of each kind, of labels divided by their scale. residual_rms: of the
    training rows, likewise. mean_leverage: mean of xᵀSx over the rows of each kind. eigenvalues: (P,) and eigenvectors:
    (P, P) of S⁻¹. column_scale: (P,). solver: "normal equations" or "TSQR". device: where rows
    are whitened (see uqbench.linear.arrays).
    """

    kinds: tuple[Kind, ...]
    mean: Array
    prior_precision: float | Array
    noise_precision: Array
    noise: Array
    residual_rms: Array
    mean_leverage: Array
    eigenvalues: Array
    eigenvectors: Array
    column_scale: Array
    solver: str
    iterations: int
    converged: bool
    weights: Weights
    device: str

    @cached_property
    def whitener(self) -> Array:
        """W (P, P) with S = W Wᵀ in the backbone's units."""
        return self.eigenvectors / np.sqrt(self.eigenvalues) / self.column_scale[:, None]

    @cached_property
    def arrays(self) -> Arrays:
        """The arrays of its device."""
        return Arrays(self.device)

    @cached_property
    def _device_whitener(self) -> Device:
        return self.arrays.put(self.whitener)

    def whiten(self, rows: Array) -> Device:
        """z = rows · W, (n, P), on the device: leverages xᵀSx are |z|²."""
        return self.arrays.put(rows) @ self._device_whitener

    def precisions(self, block: RowBlock) -> Array:
        """α_k of each row of a block, (n,)."""
        alpha = np.empty(len(block.labels))
        for kind, part in block.parts():
            alpha[part] = self.noise_precision[self.kinds.index(kind)]
        return alpha

    def leverage_floor(self, share: float) -> dict[Kind, float]:
        """Least leverage of each kind, as a share of its mean."""
        return {k: share * float(h) for k, h in zip(self.kinds, self.mean_leverage, strict=True)}

    @property
    def facts(self) -> dict[str, float | str]:
        """What the record says of the fit."""
        facts: dict[str, float | str] = {}
        if isinstance(self.prior_precision, float):
            facts["prior_precision"] = self.prior_precision
        for name in ("noise_precision", "residual_rms"):
            facts |= {f"{name}_{k}": float(v) for k, v in zip(self.kinds, getattr(self, name), strict=True)}
        facts["condition"] = float(self.eigenvalues.max() / self.eigenvalues.min())
        facts["weights"] = self.weights
        facts["solver"] = self.solver
        facts["evidence"] = (
            f"{'converged' if self.converged else 'NOT converged'} in {self.iterations} iterations"
        )
        return facts
