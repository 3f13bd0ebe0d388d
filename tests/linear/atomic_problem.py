"""Regression problems with energies and the force components of atoms, misspecified and clustered."""

import numpy as np

from uqbench.api import KINDS, LinearProblem, RowBlock


def atomic_problem(n_structures=40, n_atoms=5, p=8, n_blocks=3, cluster_size=2, seed=0, change=None):
    """Rows of a nonlinear truth: energies and forces with parts that no coefficients reach.

    change(rows, labels, structure) may alter the force rows (n_atoms, 3, p) and labels (n_atoms, 3) of a
    structure, and say which components are kept by returning a mask (n_atoms, 3).
    """
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(p)
    blocks = []
    for members in np.array_split(np.arange(n_structures), n_blocks):
        parts = {"energy": [], "forces": []}
        for s in members:
            energy = rng.standard_normal((1, p))
            forces = rng.standard_normal((n_atoms, 3, p)) * rng.uniform(0.3, 2.0, (n_atoms, 1, 1))
            energies = energy @ theta + 0.05 * np.cos(3 * energy[:, 0])
            labels = forces @ theta + 0.2 * np.sin(2.0 * forces[..., 0]) + 0.1 * forces[..., 1] ** 2
            mask = np.ones((n_atoms, 3), dtype=bool)
            if change is not None:
                given = change(forces, labels, int(s))
                mask = mask if given is None else given
            parts["energy"].append((energy, energies, [-1], s))
            atoms = np.repeat(np.arange(n_atoms), 3)[mask.ravel()]
            parts["forces"].append((forces[mask], labels[mask], atoms, s))
        joined = [(KINDS.index(k), *piece) for k in parts for piece in parts[k]]
        structure = np.concatenate([np.full(len(j[2]), j[4]) for j in joined]).astype(np.int32)
        blocks.append(
            RowBlock(
                np.concatenate([j[1] for j in joined]),
                np.concatenate([j[2] for j in joined]),
                np.concatenate([np.full(len(j[2]), j[0]) for j in joined]).astype(np.int8),
                np.concatenate([j[3] for j in joined]).astype(np.int32),
                structure,
                structure // cluster_size,
            )
        )
    kinds = np.concatenate([b.kind for b in blocks])
    counts = {k: int((kinds == i).sum()) for i, k in enumerate(KINDS) if (kinds == i).any()}
    clusters = np.unique(np.concatenate([b.cluster for b in blocks]))
    return LinearProblem(p, counts, dict.fromkeys(KINDS, 1.0), clusters, lambda: iter(blocks))


def stacked(problem):
    """All rows of a problem as one block."""
    fields = ("rows", "labels", "kind", "atom", "structure", "cluster")
    blocks = list(problem.blocks())
    return RowBlock(*(np.concatenate([getattr(b, f) for b in blocks]) for f in fields))
