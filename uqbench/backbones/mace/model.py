"""The network, and a short forward of our own that shows the features its energy is linear in.

Batatia, Kovács, Simm, Ortner, Csányi, "MACE: Higher order equivariant message passing neural networks for fast
and accurate force fields", NeurIPS 2022 (arXiv 2206.07697). Computed by mace-torch. Each readout ends with a linear
map, so the energy of an atom i is, beside its reference energy,

    E_i = c_s(i) + Σ_p w_p φ_p(i)

with a constant c of its element and the features φ of all readouts: scalars of the layer where the readout is linear,
what its gate lets through where it is a perceptron, and the energy of a pair repulsion where there is one (its w is 1
in a file of mace). Coefficients are c, element by element, then w, readout by readout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.graphs import Batch
from uqbench.backbones.mace.quiet import building, mace_parts

if TYPE_CHECKING:
    import torch

Network: TypeAlias = Any
"""A mace.modules.ScaleShiftMACE of one head. Its scale_shift.shift is one number or one an element."""

PAIR_WEIGHT = "pair_weight"
"""Parameter of a network with a pair repulsion."""

N_BESSEL = 8
CUTOFF_POWER = 5


@dataclass(frozen=True)
class Normalisation:
    """Numbers taken from the training frames before training.

    neighbours: of an atom on average. scale: eV, of the features (RMS force of the training set times 1 Å).
    shift: eV, the constant of every atom beside its reference energy, or one of each element.
    """

    neighbours: float
    scale: float
    shift: float | tuple[float, ...]


def build_network(
    config: MaceConfig,
    elements: tuple[str, ...],
    references: Mapping[str, float],
    normalisation: Normalisation,
    seed: int,
) -> Network:
    """A network with random weights, float64, on the CPU; the same seed gives the same weights.

    references: energy (eV) of each element, the E0s of mace.
    """
    parts = mace_parts()
    import torch
    from ase.data import atomic_numbers

    size = config.architecture
    block = parts.modules.RealAgnosticResidualInteractionBlock
    scalars = parts.o3.Irreps(f"{size.channels}x0e")
    with building(seed):
        network = parts.modules.ScaleShiftMACE(
            atomic_inter_scale=normalisation.scale,
            atomic_inter_shift=normalisation.shift,
            r_max=config.cutoff,
            num_bessel=N_BESSEL,
            num_polynomial_cutoff=CUTOFF_POWER,
            max_ell=size.max_ell,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=size.layers,
            num_elements=len(elements),
            hidden_irreps=parts.o3.Irreps(size.hidden_irreps),
            MLP_irreps=scalars,
            atomic_energies=np.array([references[e] for e in elements]),
            avg_num_neighbors=normalisation.neighbours,
            atomic_numbers=[atomic_numbers[e] for e in elements],
            correlation=size.correlation,
            gate=torch.nn.functional.silu,
            radial_MLP=list(size.radial_mlp),
        )
        # mace's last readout is a perceptron.
        network.readouts[-1] = parts.modules.LinearReadoutBlock(scalars, parts.o3.Irreps("1x0e"))
    return network


@dataclass(frozen=True)
class Edges:
    """What the layers are told of m edges: lengths (m, 1), Å, spherical harmonics, radial functions and cutoff."""

    lengths: torch.Tensor
    harmonics: torch.Tensor
    radial: torch.Tensor
    cutoff: torch.Tensor | None


def edge_vectors(batch: Batch, positions: torch.Tensor, strain: torch.Tensor) -> torch.Tensor:
    """(m, 3) from atom i to atom j of each edge, Å; arguments as for layer_features."""
    import torch

    vectors = positions[batch.edges[1]] - positions[batch.edges[0]] + batch.shifts
    symmetric = 0.5 * (strain + strain.transpose(-1, -2))
    return vectors + torch.einsum("ea,eab->eb", vectors, symmetric[batch.edge_structure])


def edges_of(network: Network, batch: Batch, vectors: torch.Tensor) -> Edges:
    """vectors: (m, 3), of the batch's edges."""
    import torch

    lengths = torch.linalg.norm(vectors, dim=-1, keepdim=True)
    harmonics = network.spherical_harmonics(vectors)
    radial, cutoff = network.radial_embedding(lengths, batch.node_attrs, batch.edges, network.atomic_numbers)
    return Edges(lengths, harmonics, radial, cutoff)


def pass_on(network: Network, layer: int, atoms: torch.Tensor, edges: Edges, batch: Batch) -> torch.Tensor:
    """Features of atoms (n, ...) after a layer, of those before it."""
    messages, residual = network.interactions[layer](
        node_attrs=batch.node_attrs,
        node_feats=atoms,
        edge_attrs=edges.harmonics,
        edge_feats=edges.radial,
        edge_index=batch.edges,
        cutoff=edges.cutoff,
        first_layer=layer == 0,
    )
    return network.products[layer](node_feats=messages, sc=residual, node_attrs=batch.node_attrs)


def readout_features(network: Network, layer: int, atoms: torch.Tensor) -> list[torch.Tensor]:
    """φ (n, features) of a layer's readout, eV, of what the layer has made of atoms; none if it has no readout."""
    # A network with one readout reads its last layer.
    number = layer - len(network.interactions) + len(network.readouts)
    return [network.scale_shift.scale * _read(network.readouts[number], atoms)] if number >= 0 else []


def pair_features(network: Network, edges: Edges, batch: Batch) -> list[torch.Tensor]:
    """φ (n, 1) of a pair repulsion, eV, if there is one."""
    if not hasattr(network, PAIR_WEIGHT):
        return []
    pairs = network.pair_repulsion_fn(edges.lengths, batch.node_attrs, batch.edges, network.atomic_numbers)
    return [network.scale_shift.scale * pairs[:, None]]


def layer_features(
    network: Network, batch: Batch, positions: torch.Tensor, strain: torch.Tensor
) -> list[torch.Tensor]:
    """φ of each readout, (n, features), in eV; (n, 1) of a pair repulsion comes last.

    positions: (n, 3), those of the batch or others close by. strain: (B, 3, 3), its symmetric part deforms
    cells and positions. Differentiable in both, also under torch.func.grad and jacrev.
    """
    edges = edges_of(network, batch, edge_vectors(batch, positions, strain))
    atoms = network.node_embedding(batch.node_attrs)
    features = []
    for layer in range(len(network.interactions)):
        atoms = pass_on(network, layer, atoms, edges, batch)
        features += readout_features(network, layer, atoms)
    return features + pair_features(network, edges, batch)


def _read(readout: Any, atoms: torch.Tensor) -> torch.Tensor:
    """What the last linear map of a readout is applied to, times its normalisation."""
    if hasattr(readout, "linear"):
        last, inputs = readout.linear, atoms
    else:
        last, inputs = readout.linear_2, readout.non_linearity(readout.linear_1(atoms))
    return last.instructions[0].path_weight * inputs[:, : last.weight.numel()]


def last_layer(network: Network) -> dict[str, torch.Tensor]:
    """The weights w, by the names of their parameters, in the order of the features."""
    names = [
        f"readouts.{number}.{'linear' if hasattr(readout, 'linear') else 'linear_2'}.weight"
        for number, readout in enumerate(network.readouts)
    ]
    names += [PAIR_WEIGHT] * hasattr(network, PAIR_WEIGHT)
    return {name: network.get_parameter(name) for name in names}


def n_last_layer(network: Network) -> int:
    """P."""
    return sum(weight.numel() for weight in last_layer(network).values())


def coefficients(network: Network) -> torch.Tensor:
    """(n_elements + P,) constants c (eV), then weights w of the readouts."""
    import torch

    constants = network.scale_shift.shift.expand(len(network.atomic_numbers))
    return torch.cat([constants, *last_layer(network).values()])


def atom_energies(
    features: list[torch.Tensor], node_attrs: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    """(n,) energies of atoms beside their references, eV, for coefficients (n_elements + P,)."""
    import torch

    return torch.cat([node_attrs, *features], dim=1) @ values


def sum_by_structure(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(B, ...) sums of values (n, ...) over the atoms of each structure."""
    return values.new_zeros(len(batch), *values.shape[1:]).index_add(0, batch.structure, values)


@dataclass(frozen=True)
class Outputs:
    """energy: (B,) eV, without references. forces: (n, 3), eV/Å. stress: (B, 6), eV/Å³, 0 if not periodic."""

    energy: torch.Tensor
    forces: torch.Tensor
    stress: torch.Tensor


def evaluate(
    network: Network, batch: Batch, values: torch.Tensor | None = None, training: bool = False
) -> Outputs:
    """Energy, forces and stress of a batch.

    values: coefficients (n_elements + P,) in place of the network's own. training: the outputs are to be
    differentiated in the weights.
    """
    import torch

    positions, strain = displaceable(batch)
    features = layer_features(network, batch, positions, strain)
    energy = sum_by_structure(
        atom_energies(features, batch.node_attrs, coefficients(network) if values is None else values), batch
    )
    gradient, virial = torch.autograd.grad(energy.sum(), [positions, strain], create_graph=training)
    outputs = Outputs(energy, -gradient, voigt(virial) / batch.volumes[:, None])
    return outputs if training else Outputs(energy.detach(), outputs.forces, outputs.stress)


def displaceable(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions (n, 3) and strains (B, 3, 3), zero, to be differentiated in."""
    positions = batch.positions.detach().clone().requires_grad_(True)
    return positions, positions.new_zeros(len(batch), 3, 3).requires_grad_(True)


def voigt(tensor: torch.Tensor) -> torch.Tensor:
    """(..., 6) components xx yy zz yz xz xy of symmetric tensors (..., 3, 3)."""
    return tensor.flatten(-2)[..., [0, 4, 8, 5, 2, 1]]
