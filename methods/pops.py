"""POPS: bounds from the parameter sets that fit each training point exactly.

Near-noiseless labels and an imperfect model: Bayesian error bars shrink with more data while the error stays. POPS
takes, for every training row, the cheapest parameter change that reproduces it, Δθ_n = (e_n/h_n) C⁻¹x_n, and bounds
predictions by the box around those changes, or by the changes themselves.

Cost: three passes over the rows and two P × P eigendecompositions; an exact bound costs O(P²) a row, a sampled one
O(M P), one of the ensemble O(n P) for n training rows.
Limits: linear in the parameters; the bounds are conservative, and the exact box several times wider than the sampled
one, which grows with M. Leverages are floored at 1e-4 of their mean, else rows that the model can hardly move decide
the bounds; so not every training row is covered.
Reference: Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025), arXiv 2402.01810 (pointwise-optimal
corrections and the hypercube posterior); on potentials: Perez, Subramanyam, Maliyov & Swinburne, npj Comput. Mater.
(2025), doi 10.1038/s41524-025-01758-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.random import Generator

from uqbench.api import LinearMethod, LinearProblem, ParameterPosterior
from uqbench.errors import UqbenchError
from uqbench.linear.box import Box
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.hull import Hull
from uqbench.linear.sampled_box import BoxDraws, SampledBox

FEWEST_SAMPLES, MOST_SAMPLES = 100, 10_000


@dataclass(frozen=True)
class Pops(LinearMethod):
    """Pointwise-optimal parameter sets.

    posterior: "hypercube" (box along the principal directions of the corrections) or "ensemble" (the corrections).
    bounds: of the hypercube: "sampled" (least and greatest over M uniform draws, as published, M the number of
        training rows but 100 to 10,000) or "exact" (over the whole box).
    percentile: share of corrections cut from each side of the hypercube, in percent, in [0, 50).
    """

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"bounds": "exact"}, {"posterior": "ensemble"})

    posterior: Literal["hypercube", "ensemble"] = "hypercube"
    bounds: Literal["sampled", "exact"] = "sampled"
    percentile: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.percentile < 50.0:
            raise UqbenchError(f"pops: percentile is {self.percentile}; it must lie in [0, 50).")
        if self.posterior == "ensemble" and self.percentile > 0.0:
            raise UqbenchError(
                f"pops: percentile is {self.percentile}, which cuts sides of a hypercube, and posterior is ensemble: "
                "leave one of them out, or take the method pops_hull, which trims an ensemble."
            )

    def fit(self, problem: LinearProblem, rng: Generator) -> ParameterPosterior:
        """Corrections are produced block by block and never held."""
        ridge = fit_ridge(problem)
        corrections = PointwiseCorrections.of(problem, ridge)
        if self.posterior == "ensemble":
            return Hull.of(corrections)
        box = Box.around(corrections, self.percentile)
        if self.bounds == "exact":
            return box
        n = min(max(len(corrections), FEWEST_SAMPLES), MOST_SAMPLES)
        return SampledBox.of(box, BoxDraws(box.low, box.high, n, "uniform", int(rng.integers(2**63))))
