"""Cluster cross-validation inside a fit, from Gram matrices a fold: no row is refitted one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Array, Kind, LinearProblem, RowBlock
from uqbench.errors import UqbenchError
from uqbench.linear.ridge import Ridge


@dataclass(frozen=True)
class LeftOut:
    """The fits that leave one fold of clusters out, with the precisions α_k and λ of the fit to all rows.

    fold_of: (n_clusters,) fold of each cluster of the problem. means: (K, P) coefficients, in the backbone's
    units. eigenvalues: (K, P) of Σα_k G_k without the fold (and without the prior), eigenvectors: (K, P, P).
    """

    problem: LinearProblem
    ridge: Ridge
    fold_of: NDArray[np.int64]
    means: Array
    eigenvalues: Array
    eigenvectors: Array

    @property
    def n_folds(self) -> int:
        """K"""
        return len(self.means)

    def whitener(self, fold: int) -> Array:
        """W_f (P, P) with S_f = W_f W_fᵀ in the backbone's units."""
        root = np.sqrt(self.eigenvalues[fold] + self.ridge.prior_precision)
        return self.eigenvectors[fold] / root / self.ridge.column_scale[:, None]

    def folds(self, block: RowBlock) -> NDArray[np.int64]:
        """The fold of each row of a block."""
        return self.fold_of[np.searchsorted(self.problem.clusters, block.cluster)]

    def held_out(self) -> Iterator[tuple[int, Kind, Array, Array]]:
        """(fold, kind, rows, residuals) of every row under the fit that has not seen it, piece by piece."""
        for block in self.problem.blocks():
            fold = self.folds(block)
            for kind, part in block.parts():
                for f in np.unique(fold[part]):
                    mine = np.flatnonzero(fold[part] == f) + part.start
                    rows = block.rows[mine]
                    yield int(f), kind, rows, block.labels[mine] - rows @ self.means[f]


def require_folds(method: str, n_folds: int) -> None:
    """Raises UqbenchError for fewer than two: nothing would be left to fit."""
    if n_folds < 2:
        raise UqbenchError(f"{method}: folds is {n_folds}; at least 2 are needed.")


def leave_folds_out(problem: LinearProblem, ridge: Ridge, n_folds: int, rng: Generator) -> LeftOut:
    """Fit all but each of n_folds random folds of clusters. One pass, one eigendecomposition a fold.

    Raises UqbenchError if there are fewer clusters than folds.
    """
    n_clusters = len(problem.clusters)
    if n_clusters < n_folds:
        raise UqbenchError(
            f"{n_clusters} training clusters cannot be cut into {n_folds} folds; at least {n_folds} are needed."
        )
    fold_of = np.arange(n_clusters) % n_folds
    rng.shuffle(fold_of)
    p = problem.n_features
    arrays = ridge.arrays
    grams, moment = [arrays.zeros(p, p) for _ in range(n_folds)], np.zeros((n_folds, p))
    for block in problem.blocks():
        fold = fold_of[np.searchsorted(problem.clusters, block.cluster)]
        weight = np.sqrt(ridge.precisions(block))
        rows = arrays.put(block.rows) * arrays.put(weight)[:, None] / arrays.put(ridge.column_scale)
        labels = block.labels * weight
        for f in range(n_folds):
            here = np.flatnonzero(fold == f)
            mine = arrays.take(rows, here)
            grams[f] += mine.T @ mine
            moment[f] += arrays.get(arrays.put(labels[here]) @ mine)
    gram = np.stack([arrays.get(g) for g in grams])
    total_gram, total_moment = gram.sum(axis=0), moment.sum(axis=0)
    means, values, vectors = np.empty((n_folds, p)), np.empty((n_folds, p)), np.empty((n_folds, p, p))
    for f in range(n_folds):
        eigenvalues, vectors[f] = np.linalg.eigh(total_gram - gram[f])
        values[f] = np.maximum(eigenvalues, 0.0)
        inverse = (vectors[f].T @ (total_moment - moment[f])) / (values[f] + ridge.prior_precision)
        means[f] = (vectors[f] @ inverse) / ridge.column_scale
    return LeftOut(problem, ridge, fold_of, means, values, vectors)
