"""popsregression 0.4.0, the published package of POPS, reproduced without its memory.

Mean, standard deviation, box and, given its samples, bounds equal those of POPSRegression(fit_intercept=False) on the
training rows of all kinds as one, each divided by the scale of its kind; scikit-learn's hyper-priors and tolerance
are part of that. It differs from `pops`, which is ours, in this: one noise precision for all kinds (ours: one a
kind); columns as the backbone gives them, so results depend on its units (ours: scaled to unit RMS); evidence
iterated until no coefficient moves by 1e-3 (ours: to 1e-9 of the precisions); only rows with a leverage in the upper
half correct anything, and no leverage is floored (ours: all rows, floored at 1e-4 of the mean).
Not reproduced: bounds that all lie on one side of the mean are widened to hold it, as a prediction's must.

Cost: six passes over the rows, a QR of P + 1 columns and one P × P eigendecomposition; a prediction O(M P), for
which the M points are drawn anew (popsregression holds them and n × P corrections).
Limits: as `pops`; the bounds are several times narrower than those of the box they sample, and grow with M.
Reference: Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025), arXiv 2402.01810; PyPI popsregression
0.4.0, and for rule "later" the rows that its version under development after that uses (not its other posteriors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.random import Generator

from uqbench.api import Kind, LinearMethod, LinearProblem, ParameterPosterior
from uqbench.errors import UqbenchError
from uqbench.linear.box import Box
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.hull import Hull
from uqbench.linear.leave_one_out import leverages, residuals
from uqbench.linear.ridge import Ridge
from uqbench.linear.sampled_box import BoxDraws, SampledBox
from uqbench.linear.selection import select_rows
from uqbench.linear.sklearn_ridge import sklearn_ridge

FEWEST_SAMPLES = 100
LATER_LEAST_ERROR = 0.01
"""Least |e|, in RMSE of all rows, of a row that the later rule uses."""
LATER_LEAST_LEVERAGE = 1e-6
"""Floor of αxᵀSx under the later rule."""


@dataclass(frozen=True)
class PopsReference(LinearMethod):
    """POPSRegression with the parameters of the same names.

    posterior: "hypercube" (M points in a box around the corrections) or "ensemble" (the corrections).
    resampling_method: how the points are drawn. resample_density: M a training row; M is at least 100, and a power
        of two for "sobol".
    percentile_clipping: percent of the corrections cut from each side of the box, in [0, 50).
    leverage_percentile: percent of the rows, those of least leverage, that are not used, in [0, 100).
    mode_threshold: least eigenvalue of the box's axes, relative to the greatest, above 0.
    rule: which rows correct: "0.4.0" (leverage_percentile) or "later" (|e| at least 0.01 RMSE, whatever the
        leverage, which is floored at 1e-6).
    """

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"posterior": "ensemble"})

    posterior: Literal["hypercube", "ensemble"] = "hypercube"
    resampling_method: Literal["uniform", "sobol", "latin", "halton"] = "uniform"
    resample_density: float = 1.0
    percentile_clipping: float = 0.0
    leverage_percentile: float = 50.0
    mode_threshold: float = 1e-8
    rule: Literal["0.4.0", "later"] = "0.4.0"

    def __post_init__(self) -> None:
        for name, allowed, right in (
            ("resample_density", "above 0", self.resample_density > 0.0),
            ("percentile_clipping", "in [0, 50)", 0.0 <= self.percentile_clipping < 50.0),
            ("leverage_percentile", "in [0, 100)", 0.0 <= self.leverage_percentile < 100.0),
            ("mode_threshold", "above 0", self.mode_threshold > 0.0),
        ):
            if not right:
                raise UqbenchError(f"pops_reference: {name} is {getattr(self, name)}; it must be {allowed}.")

    def fit(self, problem: LinearProblem, rng: Generator) -> ParameterPosterior:
        """rng seeds the points of the hypercube; the ensemble is deterministic."""
        ridge = sklearn_ridge(problem)
        corrections = self._corrections(problem, ridge)
        if self.posterior == "ensemble":
            return Hull.of(corrections)
        box = Box.around(corrections, self.percentile_clipping, self.mode_threshold)
        n = max(int(self.resample_density * sum(problem.counts.values())), FEWEST_SAMPLES)
        if self.resampling_method == "sobol":
            n = 2 ** int(np.log2(n))
        seed = int(rng.integers(2**63))
        return SampledBox.of(box, BoxDraws(box.low, box.high, n, self.resampling_method, seed))

    def _corrections(self, problem: LinearProblem, ridge: Ridge) -> PointwiseCorrections:
        """Those of the rows that the rule keeps."""
        if self.rule == "later":
            error = np.abs(residuals(problem, ridge))
            keep = error >= LATER_LEAST_ERROR * np.sqrt(np.mean(error**2))
            least = LATER_LEAST_LEVERAGE
        else:
            leverage = leverages(problem, ridge)
            keep = leverage >= np.percentile(leverage, self.leverage_percentile)
            least = 0.0
        floor: dict[Kind, float] = {
            k: least / float(a) for k, a in zip(ridge.kinds, ridge.noise_precision, strict=True)
        }
        return PointwiseCorrections.of(select_rows(problem, keep), ridge, floor)
