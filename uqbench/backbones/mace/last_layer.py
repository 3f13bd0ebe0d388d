"""A trained network as a linear model of the coefficients of its last layers: design rows.

Cost: one backward pass through the network for four features at a time; an order of magnitude above a force
call a structure, less in batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.backbones.mace.graphs import Batch
from uqbench.backbones.mace.model import Network, displaceable, layer_features, sum_by_structure, voigt
from uqbench.backbones.mace.radial_slopes import straight_radials

if TYPE_CHECKING:
    import torch

CHUNK = 4
"""Features differentiated in one batched backward pass; more at a time is slower."""


def batch_rows(network: Network, batch: Batch) -> list[Array]:
    """Design rows (1 + 3N [+ 6], n_elements + P) of each structure of a batch, as LinearBackbone.rows has them.

    Columns are the coefficients of uqbench.backbones.mace.model: first, for each element, its share among the
    atoms in the energy row and zero elsewhere, then the features of the readouts.
    """
    import torch

    positions, strain = displaceable(batch)
    with straight_radials(network):
        features = layer_features(network, batch, positions, strain)
    slopes, strains = [], []
    for layer in features:
        # Structures do not see each other, and a layer depends on those before it only.
        gradient, virial = _jacobian(layer.sum(0), positions, strain)
        slopes.append(gradient)
        strains.append(virial)
    with torch.no_grad():
        columns = torch.cat([batch.node_attrs, *features], dim=1)
        energies = (sum_by_structure(columns, batch) / batch.sizes[:, None]).cpu().numpy()
        # (P, n, 3) to (n, 3, P) and (P, B, 6) to (B, 6, P).
        forces = -torch.cat(slopes).permute(1, 2, 0).cpu().numpy()
        stresses = (voigt(torch.cat(strains)) / batch.volumes[:, None]).permute(1, 2, 0).cpu().numpy()
    n_elements = batch.node_attrs.shape[1]
    periodic_ones = torch.isfinite(batch.volumes).tolist()
    rows, start = [], 0
    for b, (n, periodic) in enumerate(zip(batch.sizes.tolist(), periodic_ones, strict=True)):
        table = np.zeros((1 + 3 * n + 6 * periodic, columns.shape[1]))
        table[0] = energies[b]
        table[1 : 1 + 3 * n, n_elements:] = forces[start : start + n].reshape(3 * n, -1)
        if periodic:
            table[1 + 3 * n :, n_elements:] = stresses[b]
        rows.append(table)
        start += n
    return rows


def _jacobian(
    outputs: torch.Tensor, positions: torch.Tensor, strain: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """∂outputs/∂positions (P, n, 3) and ∂outputs/∂strain (P, B, 3, 3) for outputs (P,)."""
    import torch

    directions = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
    parts = [
        torch.autograd.grad(outputs, [positions, strain], chunk, retain_graph=True, is_grads_batched=True)
        for chunk in directions.split(CHUNK)
    ]
    return torch.cat([p for p, _ in parts]), torch.cat([s for _, s in parts])
