"""The baseline: every prediction of a kind has the same error bar, the RMSE of the training rows.

Any method worth its cost has a lower interval score than this one after calibration.
Cost: the ridge fit alone; predictions go through the design rows, as those of all linear methods.
Limits: says nothing of which prediction to trust.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from uqbench.api import Kind, LinearMethod, LinearProblem
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.posteriors import Gaussian


@dataclass(frozen=True)
class Constant(LinearMethod):
    """Training RMSE of each kind as the standard deviation of all."""

    def fit(self, problem: LinearProblem, rng: Generator) -> Gaussian:
        """One pass over the rows; deterministic."""
        ridge = fit_ridge(problem)
        noise: dict[Kind, float] = {
            k: float(rms) * problem.scales[k] for k, rms in zip(ridge.kinds, ridge.residual_rms, strict=True)
        }
        return Gaussian(ridge.mean, np.zeros((problem.n_features, 0)), noise, ridge.facts, ridge.device)
