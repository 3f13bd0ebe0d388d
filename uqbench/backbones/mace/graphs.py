"""Structures as graphs of neighbours, and many graphs as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.backbones.mace.quiet import mace_parts
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    import torch
    from ase import Atoms


@dataclass(frozen=True)
class Graph:
    """One structure.

    species: (n,) index into the elements. positions: (n, 3), Å. edges: (2, m) atoms i, j of each pair closer
    than the cutoff, in both directions. shifts: (m, 3), Å: the vector from i to j is r_j - r_i + shift.
    volume: Å³, None unless periodic in three directions.
    """

    species: NDArray[np.int64]
    positions: Array
    edges: NDArray[np.int64]
    shifts: Array
    volume: float | None

    def __len__(self) -> int:
        return len(self.species)


@dataclass(frozen=True)
class Batch:
    """B structures with n atoms and m edges in all, as tensors of one type on one device.

    node_attrs: (n, n_elements) one-hot. positions: (n, 3). edges: (2, m). shifts: (m, 3). structure: (n,) which
    structure an atom is of, edge_structure: (m,) likewise. sizes: (B,) atoms. volumes: (B,), Å³, infinite unless
    periodic in three directions.
    """

    node_attrs: torch.Tensor
    positions: torch.Tensor
    edges: torch.Tensor
    shifts: torch.Tensor
    structure: torch.Tensor
    edge_structure: torch.Tensor
    sizes: torch.Tensor
    volumes: torch.Tensor

    def __len__(self) -> int:
        return len(self.sizes)


def make_graph(atoms: Atoms, elements: tuple[str, ...], cutoff: float) -> Graph:
    """The graph of a structure of any cell shape and periodicity; a cell may be shorter than the cutoff.

    Raises UqbenchError for no atoms, an element not in elements, periodicity without a cell, numbers that are
    not finite, and atoms on top of each other.
    """
    symbols = atoms.get_chemical_symbols()
    if not symbols:
        raise UqbenchError("a structure without atoms has no energy; leave it out.")
    if unseen := sorted(set(symbols) - set(elements)):
        raise UqbenchError(
            f"{atoms.get_chemical_formula()} holds {', '.join(unseen)}, which the network (trained on "
            f"{', '.join(elements)}) has never seen; train on frames that hold it."
        )
    cell = atoms.cell.complete()
    periodic = bool(atoms.pbc.all())
    if not (np.isfinite(atoms.positions).all() and np.isfinite(cell.array).all()):
        raise UqbenchError(f"{atoms.get_chemical_formula()}: positions or cell are not all finite.")
    if atoms.cell.rank < int(atoms.pbc.sum()) or cell.volume < 1e-6:
        raise UqbenchError(
            f"{atoms.get_chemical_formula()} is periodic along {int(atoms.pbc.sum())} directions, but its cell "
            f"{atoms.cell.array.tolist()} does not span them; give a cell or set pbc to False."
        )
    # mace lays vectors without periodicity along x, y, z: upright, the cell keeps its volume under that.
    upright, rotation = cell.standard_form()
    edges, _, images, _ = mace_parts().get_neighborhood(
        positions=atoms.positions @ rotation.T,
        cutoff=cutoff,
        pbc=tuple(bool(p) for p in atoms.pbc),
        cell=np.array(upright.array),
    )
    shifts = images @ cell.array
    edges = np.ascontiguousarray(edges, dtype=np.int64)
    lengths = np.linalg.norm(atoms.positions[edges[1]] - atoms.positions[edges[0]] + shifts, axis=1)
    if len(lengths) and lengths.min() < 1e-3:
        i, j = edges[:, int(np.argmin(lengths))]
        raise UqbenchError(f"{atoms.get_chemical_formula()}: atoms {i} and {j} lie on top of each other.")
    species = np.array([elements.index(s) for s in symbols], dtype=np.int64)
    volume = float(atoms.get_volume()) if periodic else None
    return Graph(species, atoms.positions.astype(np.float64), edges, shifts, volume)


def make_batch(
    graphs: Sequence[Graph], n_elements: int, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Batch:
    """One graph of B structures that do not see each other."""
    import torch

    sizes = np.array([len(g) for g in graphs])
    first = np.cumsum(sizes) - sizes
    n_edges = np.array([g.edges.shape[1] for g in graphs])

    def real(values: Array) -> torch.Tensor:
        return torch.as_tensor(values, dtype=dtype, device=device)

    def whole(values: NDArray[np.int64]) -> torch.Tensor:
        return torch.as_tensor(values, device=device)

    number = np.arange(len(graphs))
    return Batch(
        real(np.eye(n_elements)[np.concatenate([g.species for g in graphs])]),
        real(np.concatenate([g.positions for g in graphs])),
        whole(np.concatenate([g.edges + start for g, start in zip(graphs, first, strict=True)], axis=1)),
        real(np.concatenate([g.shifts for g in graphs])),
        whole(np.repeat(number, sizes)),
        whole(np.repeat(number, n_edges)),
        whole(sizes),
        real(np.array([np.inf if g.volume is None else g.volume for g in graphs])),
    )


def mean_neighbours(graphs: Sequence[Graph]) -> float:
    """Neighbours of an atom on average; at least one, so that messages can be divided by it."""
    return max(1.0, sum(g.edges.shape[1] for g in graphs) / sum(len(g) for g in graphs))
