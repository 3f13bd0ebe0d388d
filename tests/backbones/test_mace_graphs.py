"""Neighbours against a brute-force search through all periodic images, and structures that have none."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from backbones.mace_toys import structures

from uqbench.backbones.mace.graphs import make_batch, make_graph, mean_neighbours
from uqbench.check.toy_backbone import directed_pairs
from uqbench.errors import UqbenchError

ELEMENTS = ("Au", "Cu")


def sorted_edges(i, j, vectors):
    table = np.column_stack([i, j, np.round(vectors, 8) + 0.0])
    return table[np.lexsort(table.T)]


def lying_slab():
    """Periodic along two vectors, of which the second points along z: mace's own cell would be flat."""
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.rattle(0.1, seed=1)
    atoms.set_cell([[3.7, 0, 0], [0, 0, 3.7], [0, 3.7, 0]])
    atoms.pbc = (True, True, False)
    return atoms


def away_from_the_origin():
    atoms = Atoms("CuAu2", [[-30.0, 4, 2], [-28, 4, 2], [-28, 6, 1]], cell=[5, 5, 5])
    return atoms


CASES = [*structures(), lying_slab(), away_from_the_origin()]


@pytest.mark.parametrize("atoms", CASES, ids=str)
@pytest.mark.parametrize("cutoff", [2.9, 5.0])
def test_edges_are_all_pairs_within_the_cutoff(atoms, cutoff):
    graph = make_graph(atoms, ELEMENTS, cutoff)
    i, j = graph.edges
    vectors = graph.positions[j] - graph.positions[i] + graph.shifts
    np.testing.assert_allclose(
        sorted_edges(i, j, vectors), sorted_edges(*directed_pairs(atoms, cutoff)), atol=1e-7
    )
    assert graph.volume == (pytest.approx(atoms.get_volume()) if atoms.pbc.all() else None)


def test_a_structure_is_left_as_it_was():
    atoms = lying_slab()
    before = atoms.copy()
    make_graph(atoms, ELEMENTS, 4.0)
    assert atoms == before


def test_an_isolated_atom_has_no_neighbours():
    graph = make_graph(Atoms("Au"), ELEMENTS, 5.0)
    assert graph.edges.shape == (2, 0)
    assert graph.shifts.shape == (0, 3)
    assert mean_neighbours([graph]) == 1.0


def test_a_batch_joins_graphs_without_edges_between_them():
    import torch

    graphs = [make_graph(atoms, ELEMENTS, 4.0) for atoms in CASES]
    batch = make_batch(graphs, 2, torch.float64)
    assert len(batch) == len(CASES)
    assert torch.equal(batch.structure[batch.edges[0]], batch.structure[batch.edges[1]])
    assert torch.equal(batch.edge_structure, batch.structure[batch.edges[0]])
    assert torch.equal(torch.isfinite(batch.volumes), torch.tensor([bool(a.pbc.all()) for a in CASES]))


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (Atoms("Ni"), "holds Ni, which the network .trained on Au, Cu. has never seen"),
        (Atoms(), "without atoms"),
        (Atoms("Cu", pbc=True), "periodic along 3 directions"),
        (Atoms("Cu", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True), "does not span"),
        (Atoms("Cu2", [[0, 0, 0], [0, 0, 1e-5]]), "atoms 0 and 1 lie on top of each other"),
        (Atoms("Cu", [[0, 0, np.nan]]), "not all finite"),
    ],
)
def test_bad_structures_are_named(atoms, words):
    with pytest.raises(UqbenchError, match=words):
        make_graph(atoms, ELEMENTS, 4.0)
