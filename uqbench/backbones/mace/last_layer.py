"""A trained network as a linear model of the coefficients of its last layers: design rows.

Features are differentiated in the vectors of edges, from which slopes in positions and strains follow. What the first
layer makes of an atom depends on the atom's own edges alone: features of the second are differentiated in what it is
given, and multiplied by the slopes of that, so that they need not go back through the first. (Where atoms pass on more
than a readout reads, as vectors, that would take longer, and is not done.)

Cost: one backward pass through a layer for four features at a time; seven times a force call a structure (tiny).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.backbones.mace.graphs import Batch
from uqbench.backbones.mace.model import (
    Network,
    displaceable,
    edge_vectors,
    edges_of,
    pair_features,
    pass_on,
    readout_features,
    sum_by_structure,
    voigt,
)

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

    vectors = edge_vectors(batch, *displaceable(batch)).detach().requires_grad_(True)
    features, slopes = _edge_slopes(network, batch, vectors)
    with torch.no_grad():
        columns = torch.cat([batch.node_attrs, *features], dim=1)
        energies = (sum_by_structure(columns, batch) / batch.sizes[:, None]).cpu().numpy()
        # An edge's vector grows with its second atom's position and falls with its first's.
        pull = slopes.new_zeros(len(slopes), len(batch.positions), 3)
        pull.index_add_(1, batch.edges[0], slopes).index_add_(1, batch.edges[1], -slopes)
        virials = slopes.new_zeros(len(slopes), len(batch), 3, 3)
        virials.index_add_(1, batch.edge_structure, vectors[:, :, None] * slopes[:, :, None, :])
        virials = 0.5 * (virials + virials.transpose(-1, -2))
        # (P, n, 3) to (n, 3, P) and (P, B, 6) to (B, 6, P).
        forces = pull.permute(1, 2, 0).cpu().numpy()
        stresses = (voigt(virials) / batch.volumes[:, None]).permute(1, 2, 0).cpu().numpy()
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


def _edge_slopes(
    network: Network, batch: Batch, vectors: torch.Tensor
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Features of the readouts, and slopes (P, m, 3) of their sums over atoms in the vectors of edges (m, 3)."""
    import torch

    edges = edges_of(network, batch, vectors)
    atoms = pass_on(network, 0, network.node_embedding(batch.node_attrs), edges, batch)
    features = readout_features(network, 0, atoms)
    if len(network.interactions) == 2 and features and features[0].shape == atoms.shape:
        (inner,) = _jacobian(atoms.sum(0), [vectors])
        # This readout is linear: what it makes of slopes are the slopes of what it makes of atoms.
        (read,) = readout_features(network, 0, inner.flatten(1).T)
        between = atoms.detach().requires_grad_(True)
        features += readout_features(network, 1, pass_on(network, 1, between, edges, batch))
        through, direct = _jacobian(features[1].sum(0), [between, vectors])
        later = direct + torch.einsum("pef,fek->pek", through[:, batch.edges[1]], inner)
        slopes = [read.T.unflatten(1, vectors.shape), later]
    else:
        for layer in range(1, len(network.interactions)):
            atoms = pass_on(network, layer, atoms, edges, batch)
            features += readout_features(network, layer, atoms)
        slopes = [_jacobian(values.sum(0), [vectors])[0] for values in features]
    pairs = pair_features(network, edges, batch)
    slopes += [_jacobian(values.sum(0), [vectors])[0] for values in pairs]
    return features + pairs, torch.cat(slopes)


def _jacobian(outputs: torch.Tensor, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """∂outputs/∂inputs, (P, ...) each, for outputs (P,)."""
    import torch

    directions = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
    parts = [
        torch.autograd.grad(outputs, inputs, chunk, retain_graph=True, is_grads_batched=True)
        for chunk in directions.split(CHUNK)
    ]
    return [torch.cat(part) for part in zip(*parts, strict=True)]
