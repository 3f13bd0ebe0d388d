"""Bootstrap: a committee of linear fits, each to training clusters drawn with replacement.

Clusters, not rows, are drawn: the rows of one structure are not independent. The prior and noise precisions are
those of the fit to all rows.
Cost: one pass over the rows and one P × P factorisation a member; a prediction costs M dot products.
Limits: measures the sampling variance of the fit, not the misspecification that stays with infinite data.
Reference: Efron, Ann. Statist. 7, 1 (1979); clusters: Field & Welsh, J. R. Statist. Soc. B 69, 369 (2007).
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from uqbench.api import LinearMethod, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.posteriors import Samples
from uqbench.linear.resampling import cluster_bootstrap


@dataclass(frozen=True)
class Bootstrap(LinearMethod):
    """Ridge refits on resampled clusters.

    members: number of refits, at least 2.
    """

    members: int = 100

    def __post_init__(self) -> None:
        if self.members < 2:
            raise UqbenchError(f"bootstrap: members is {self.members}; at least 2 are needed for a spread.")

    def fit(self, problem: LinearProblem, rng: Generator) -> Samples:
        """Two passes over the rows."""
        ridge = fit_ridge(problem)
        return Samples(cluster_bootstrap(problem, ridge, self.members, rng), ridge.facts, ridge.device)
