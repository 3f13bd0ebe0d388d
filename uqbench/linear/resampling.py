"""Refits of a ridge regression on resampled clusters, from block Gram matrices."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Array, LinearProblem
from uqbench.linear.evidence import Ridge

BLOCK_MEMORY = 256 << 20
"""Most bytes that the Gram matrices of the blocks may take; clusters are merged into blocks until they do."""


def cluster_bootstrap(problem: LinearProblem, ridge: Ridge, n_members: int, rng: Generator) -> Array:
    """(M, P) coefficients, each refitted to clusters drawn with replacement.

    The precisions α_k and λ are those of the fit to all rows. Clusters are merged at random into as many
    blocks as memory allows, and whole blocks are drawn. One pass over the rows, one Cholesky a member.
    """
    from scipy.linalg import cho_factor, cho_solve

    p = problem.n_features
    n_blocks = min(len(problem.clusters), max(20, BLOCK_MEMORY // (8 * p * p)))
    block_of = np.arange(len(problem.clusters)) % n_blocks
    rng.shuffle(block_of)
    alpha = dict(zip(ridge.kinds, ridge.noise_precision, strict=True))
    gram, moment = np.zeros((n_blocks, p, p)), np.zeros((n_blocks, p))
    for block in problem.blocks():
        member = block_of[np.searchsorted(problem.clusters, block.cluster)]
        for kind, part in block.parts():
            rows, labels = block.rows[part] / ridge.column_scale, block.labels[part]
            owner = member[part]
            for start, stop in _runs(owner):
                piece, b = rows[start:stop], owner[start]
                gram[b] += alpha[kind] * (piece.T @ piece)
                moment[b] += alpha[kind] * (labels[start:stop] @ piece)
    prior = ridge.prior_precision * np.eye(p)
    members = np.empty((n_members, p))
    for i in range(n_members):
        draws = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks)).astype(float)
        factor = cho_factor(np.tensordot(draws, gram, 1) + prior)
        members[i] = cho_solve(factor, draws @ moment)
    return members / ridge.column_scale


def _runs(owner: NDArray[np.int64]) -> zip[tuple[int, int]]:
    """Start and end of each run of equal values."""
    cuts = np.flatnonzero(np.diff(owner)) + 1
    return zip([0, *cuts.tolist()], [*cuts.tolist(), len(owner)], strict=True)
