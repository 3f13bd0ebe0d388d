"""Scores of samples: members of an ensemble or draws of a posterior."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.checks import vectors

BLOCK_NUMBERS = 2**21
"""Most numbers in a table of differences between samples (16 MiB)."""


def energy_score(samples: ArrayLike, observed: ArrayLike, size: int) -> Array:
    """Energy score of samples of vectors: proper, lower is better; for size 1 it is the sample CRPS.

    Mean ‖x - y‖ less half the mean ‖x - x'‖ over samples x, x', both for the empirical distribution
    (Gneiting & Raftery 2007, eq. 22; scoringrules' estimator "nrg"). samples: (m, n) with m >= 2;
    observed: (n,); size consecutive entries are one vector (3 for forces). Returns (n / size,), in the
    unit of the observable. Raises UqbenchError for other shapes and values that are not finite.

    >>> energy_score([[0.0, 0.0], [6.0, 8.0]], [0.0, 0.0], size=2)
    array([2.5])
    """
    from scoringrules import es_ensemble

    (observed,) = vectors(observed=observed)
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim != 2 or len(samples) < 2 or samples.shape[1] != len(observed):
        raise UqbenchError(f"samples has shape {samples.shape}; (m, {len(observed)}) with m >= 2 is needed.")
    if not np.isfinite(samples).all():
        raise UqbenchError(f"samples has {int((~np.isfinite(samples)).sum())} values that are not finite.")
    if size < 1 or len(observed) % size:
        raise UqbenchError(f"size is {size}; {len(observed)} observations do not make vectors of that size.")
    m = len(samples)
    vectors_observed = observed.reshape(-1, size)
    vectors_sampled = samples.reshape(m, -1, size).transpose(1, 0, 2)
    step = max(1, BLOCK_NUMBERS // (m * m * size))
    parts = [
        np.asarray(
            es_ensemble(vectors_observed[i : i + step], vectors_sampled[i : i + step], estimator="nrg")
        )
        for i in range(0, len(vectors_observed), step)
    ]
    return np.concatenate(parts)
