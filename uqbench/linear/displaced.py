"""Fitting what is left of labels by coefficients that are good already, as those of a trained network's last layer.

The prior of a linear method is then about these coefficients and not about zero: where the rows say little, the
posterior stays with what training found.
Reference: Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025), corrections to a foundation model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from numpy.random import Generator

from uqbench.api import Array, Kind, LinearProblem, ParameterPosterior, Prediction, RowBlock


def about(problem: LinearProblem, origin: Array) -> LinearProblem:
    """The problem for θ - origin: labels less rows · origin, for coefficients origin (P,)."""

    def read() -> Iterator[RowBlock]:
        for block in problem.blocks():
            yield replace(block, labels=block.labels - block.rows @ origin)

    return replace(problem, read=read)


@dataclass(frozen=True)
class Displaced(ParameterPosterior):
    """origin + δ, with the posterior of δ. origin: (P,)."""

    posterior: ParameterPosterior
    origin: Array

    @property
    def mean(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(P,)."""
        return self.origin + self.posterior.mean

    @property
    def facts(self) -> Mapping[str, float | str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of δ."""
        return self.posterior.facts

    def predict_rows(self, rows: Array, kind: Kind) -> Prediction:
        """See ParameterPosterior."""
        return self.posterior.predict_rows(rows, kind).shifted(rows @ self.origin)

    def samples(self, n: int, rng: Generator) -> Array:
        """See ParameterPosterior."""
        return self.origin + self.posterior.samples(n, rng)

    def support(self, directions: Array) -> tuple[Array, Array] | None:
        """See ParameterPosterior."""
        found = self.posterior.support(directions)
        shift = directions @ self.origin
        return None if found is None else (found[0] + shift, found[1] + shift)

    def extremes(self, direction: Array) -> Array | None:
        """See ParameterPosterior."""
        found = self.posterior.extremes(direction)
        return None if found is None else self.origin + found
