"""Committees of ridge regressions on parts of the data or of the features, from Gram matrices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Array, LinearProblem
from uqbench.linear.normal import NormalEquations
from uqbench.linear.ridge import Ridge

BLOCK_MEMORY = 256 << 20
"""Most bytes that the Gram matrices of the blocks may take; clusters are merged into blocks until they do."""


def cluster_bootstrap(problem: LinearProblem, ridge: Ridge, n_members: int, rng: Generator) -> Array:
    """(M, P) coefficients, each refitted to blocks of clusters drawn with replacement.

    The precisions α_k and λ are those of the fit to all rows. One pass over the rows, one Cholesky a member.
    """
    gram, moment = _block_equations(problem, ridge, rng)
    share = np.full(len(gram), 1.0 / len(gram))
    draws = [rng.multinomial(len(gram), share) for _ in range(n_members)]
    return _refit(gram, moment, np.array(draws, dtype=float), ridge)


def cluster_subsets(
    problem: LinearProblem, ridge: Ridge, n_members: int, share: float, rng: Generator
) -> Array:
    """(M, P) coefficients, each refitted to a random share of the blocks of clusters; cost as above."""
    gram, moment = _block_equations(problem, ridge, rng)
    kept = max(1, round(share * len(gram)))
    draws = np.zeros((n_members, len(gram)))
    for row in draws:
        row[rng.choice(len(gram), kept, replace=False)] = 1.0
    return _refit(gram, moment, draws, ridge)


def feature_subsets(
    normal: NormalEquations, ridge: Ridge, n_members: int, share: float, rng: Generator
) -> Array:
    """(M, P) coefficients, each refitted with a random share of the features, the others zero. No pass."""
    from scipy.linalg import cho_factor, cho_solve

    p = len(ridge.mean)
    gram = np.tensordot(ridge.noise_precision, normal.gram, 1) + ridge.prior_precision * np.eye(p)
    moment = ridge.noise_precision @ normal.moment
    members = np.zeros((n_members, p))
    for member in members:
        kept = rng.choice(p, max(1, round(share * p)), replace=False)
        member[kept] = cho_solve(cho_factor(gram[np.ix_(kept, kept)]), moment[kept])
    return members / ridge.column_scale


def _block_equations(problem: LinearProblem, ridge: Ridge, rng: Generator) -> tuple[Array, Array]:
    """Σα_k G_k (B, P, P) and Σα_k b_k (B, P) of blocks of clusters, scaled columns.

    Clusters are merged at random into as many blocks as memory allows.
    """
    p = problem.n_features
    n_blocks = min(len(problem.clusters), max(20, BLOCK_MEMORY // (8 * p * p)))
    block_of = np.arange(len(problem.clusters)) % n_blocks
    rng.shuffle(block_of)
    alpha = dict(zip(ridge.kinds, ridge.noise_precision, strict=True))
    arrays = ridge.arrays
    gram, moment = arrays.zeros(n_blocks, p, p), arrays.zeros(n_blocks, p)
    for block in problem.blocks():
        owner = block_of[np.searchsorted(problem.clusters, block.cluster)]
        scaled = arrays.put(block.rows) / arrays.put(ridge.column_scale)
        for kind, part in block.parts():
            rows, labels = scaled[part], arrays.put(block.labels[part])
            for start, stop in _runs(owner[part]):
                piece, b = rows[start:stop], owner[part][start]
                gram[b] += alpha[kind] * (piece.T @ piece)
                moment[b] += alpha[kind] * (labels[start:stop] @ piece)
    return arrays.get(gram), arrays.get(moment)


def _runs(owner: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of equal values."""
    cuts = np.flatnonzero(np.diff(owner)) + 1
    return zip([0, *cuts.tolist()], [*cuts.tolist(), len(owner)], strict=True)


def _refit(gram: Array, moment: Array, draws: Array, ridge: Ridge) -> Array:
    """(M, P) coefficients for block weights draws (M, B), in the backbone's units."""
    from scipy.linalg import cho_factor, cho_solve

    prior = ridge.prior_precision * np.eye(gram.shape[1])
    members = [cho_solve(cho_factor(np.tensordot(draw, gram, 1) + prior), draw @ moment) for draw in draws]
    return np.array(members) / ridge.column_scale
