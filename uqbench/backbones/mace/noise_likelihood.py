"""Negative log-likelihoods of residuals under the noise laws of uqbench.backbones.noise_law, in O(N).

Of a structure with d = 3N force components: e = E_observed - μ, f = F_observed + ∇μ, s and g = ∇s of its process,
a = s²/ℓ², nuggets τ_E² and τ_F². With v = s² + τ_E², b = a + τ_F²,

    -log p(e) = ½[e²/v + log v]
    F given E is Gaussian with mean -(s e/v) g and covariance k ggᵀ + bI, k = τ_E²/v

and forces alone have mean 0 and k = 1. Everything is per structure, (B,), without the constant ½(1 + d) log 2π.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from uqbench.backbones.mace.graphs import Batch


@dataclass(frozen=True)
class Process:
    """Noise of B structures, n atoms in all, as tensors.

    scale: s (B,), eV. slopes: ∇s (n, 3), eV/Å. length: ℓ, Å, a number. nugget_energy, nugget_forces: τ_E², τ_F²,
    numbers.
    """

    scale: torch.Tensor
    slopes: torch.Tensor
    length: torch.Tensor
    nugget_energy: torch.Tensor
    nugget_forces: torch.Tensor


def energy_nll(e: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """(B,) of energies (B,) alone."""
    return 0.5 * (e**2 / variance + variance.log())


def correlated_nll(
    e: torch.Tensor, f: torch.Tensor, process: Process, batch: Batch, energy_weight: float
) -> torch.Tensor:
    """(B,) of the labels that are present; nan in e (B,) or f (n, 3) marks those that are not.

    energy_weight: multiplies -log p(e); at 1 the result is that of all labels together.
    """
    import torch

    known, free = torch.isfinite(e), torch.isfinite(f)
    e, f = torch.nan_to_num(e), torch.nan_to_num(f)
    slopes = process.slopes * free
    variance = process.scale**2 + process.nugget_energy
    pull = torch.where(known, process.scale * e / variance, 0.0)
    kept = torch.where(known, process.nugget_energy / variance, 1.0)
    shifted = f + pull[batch.structure, None] * slopes
    white = (process.scale / process.length) ** 2 + process.nugget_forces
    dimension = _sums(free.to(f.dtype), batch)
    steep, along, rest = (_sums(v, batch) for v in (slopes**2, slopes * shifted, shifted**2))
    stretched = white + kept * steep
    forces = 0.5 * (
        (rest - kept * along**2 / stretched) / white + (dimension - 1) * white.log() + stretched.log()
    )
    return energy_weight * torch.where(known, energy_nll(e, variance), 0.0) + forces


def white_nll(
    e: torch.Tensor,
    f: torch.Tensor,
    energy_variance: torch.Tensor,
    force_variances: torch.Tensor,
    batch: Batch,
    energy_weight: float,
) -> torch.Tensor:
    """(B,) of independent noise: variances of energies (B,) and of the force components of each atom (n,)."""
    import torch

    known, free = torch.isfinite(e), torch.isfinite(f)
    e, f = torch.nan_to_num(e), torch.nan_to_num(f)
    variances = force_variances[:, None]
    forces = _sums(0.5 * (f**2 / variances + variances.log()) * free, batch)
    return energy_weight * torch.where(known, energy_nll(e, energy_variance), 0.0) + forces


def _sums(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(B,) sums of values (n, 3) over the atoms of each structure and x, y, z."""
    return values.new_zeros(len(batch)).index_add(0, batch.structure, values.sum(dim=1))
