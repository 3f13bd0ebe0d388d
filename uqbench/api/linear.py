"""What a method for linear models reads and returns: rows in blocks in, a posterior over coefficients out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api.frame import KINDS, Kind
from uqbench.api.prediction import Array, Prediction

Weights: TypeAlias = Literal["evidence", "stated"]
"""What decides how kinds of label weigh against each other: the noise of each that the evidence finds, or scales."""


@dataclass(frozen=True)
class RowBlock:
    """A few thousand rows of whole structures: energy rows first, then forces, then stress.

    rows: (n, P) and labels: (n,), both divided by the scale of their kind (LinearProblem.scales), per-species
        reference energies taken off, float64. Rows that symmetry makes zero are left out.
    kind: (n,) index into KINDS, ascending. atom: (n,) index within the structure, -1 for energy and stress.
    structure, cluster: (n,) running numbers; a structure's rows of one kind are adjacent.
    """

    rows: Array
    labels: Array
    kind: NDArray[np.int8]
    atom: NDArray[np.int32]
    structure: NDArray[np.int32]
    cluster: NDArray[np.int32]

    def parts(self) -> Iterator[tuple[Kind, slice]]:
        """The kinds present and where their rows lie."""
        ends = np.searchsorted(self.kind, np.arange(len(KINDS) + 1))
        for k, kind in enumerate(KINDS):
            if ends[k + 1] > ends[k]:
                yield kind, slice(int(ends[k]), int(ends[k + 1]))


@dataclass(frozen=True)
class LinearProblem:
    """A linear regression too large to hold: blocks of rows, read as often as needed.

    n_features: P. counts: rows of each kind present. scales: σ_k, the unit in which residuals of a kind are
    weighed (eV/atom, eV/Å, eV/Å³). weights: whether a fit finds a noise level for each kind, or one for all in
    these units. clusters: (n_clusters,) the cluster numbers present. device: where row work is
    to be done, "cpu" or "cuda" (see uqbench.linear.arrays); blocks themselves are NumPy arrays.
    """

    n_features: int
    counts: Mapping[Kind, int]
    scales: Mapping[Kind, float]
    clusters: NDArray[np.int32]
    read: Callable[[], Iterator[RowBlock]]
    device: str = "cpu"
    weights: Weights = "evidence"

    def blocks(self) -> Iterator[RowBlock]:
        """A fresh pass over the rows; nothing of the size of all rows is ever in memory."""
        return self.read()


class ParameterPosterior(ABC):
    """Beliefs about the coefficients θ (P,) of a linear model, in the backbone's own units."""

    mean: Array
    facts: Mapping[str, float | str]
    """What a reader of the record should know: noise levels, number of samples, convergence."""

    @abstractmethod
    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """Prediction of rows · θ for rows (n, P) of one kind, unweighted, in the unit of the kind."""

    @abstractmethod
    def samples(self, n: int, rng: Generator) -> Array:
        """(n, P) draws of θ for propagation to simulation results."""

    def support(self, directions: Array) -> tuple[Array, Array] | None:
        """Exact least and greatest directions · θ over a bounded posterior, for directions (n, P).

        Two arrays (n,), or None where the posterior has no bounds.
        """
        return None

    def extremes(self, direction: Array) -> Array | None:
        """(2, P): where direction · θ, for direction (P,), is least and where greatest; None without bounds."""
        return None
