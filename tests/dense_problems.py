"""Small regression problems from dense arrays."""

from collections.abc import Mapping

import numpy as np

from uqbench.api import KINDS, LinearProblem, RowBlock


def dense_problem(
    rows: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    cluster: Mapping[str, np.ndarray] | None = None,
    n_blocks: int = 3,
) -> LinearProblem:
    """A problem from dense arrays by kind, cut into blocks, all scales 1."""
    kinds = [k for k in KINDS if k in rows]
    pieces = []
    for b in range(n_blocks):
        part = {k: np.arange(len(labels[k]))[b::n_blocks] for k in kinds}
        kind = np.concatenate([np.full(len(part[k]), KINDS.index(k)) for k in kinds]).astype(np.int8)
        owner = {k: (cluster[k] if cluster else np.arange(len(labels[k]))) for k in kinds}
        member = np.concatenate([owner[k][part[k]] for k in kinds]).astype(np.int32)
        pieces.append(
            RowBlock(
                np.concatenate([rows[k][part[k]] for k in kinds]),
                np.concatenate([labels[k][part[k]] for k in kinds]),
                kind,
                np.full(len(kind), -1, dtype=np.int32),
                member,
                member,
            )
        )
    counts = {k: len(labels[k]) for k in kinds}
    clusters = np.unique(np.concatenate([p.cluster for p in pieces]))
    p = next(iter(rows.values())).shape[1]
    return LinearProblem(p, counts, dict.fromkeys(KINDS, 1.0), clusters, lambda: iter(pieces))
