"""POPS with a box in whitened coordinates, clipped: bounds without the reach of a few rows in soft directions.

Ours, not the published algorithm (that is `pops_reference`): the corrections Δθ_n = (e_n/h_n) C⁻¹x_n are measured
in coordinates in which the posterior covariance of the ridge fit is the identity, so that the box is aligned with what
the data resolve and not with the longest corrections; from each side of each axis a share of the projections is cut.
Bounds are exact over the box, and simulation results are carried by draws from it.

Cost: three passes over the rows and two P × P eigendecompositions; O(P²) a predicted row.
Limits: linear in the parameters; the probability stated is the share of corrections between both ends of an axis, which
is no probability of predictions. Developed on SNAP for Cu, Mo, Si and Li of Zuo et al. (2020) and the embedded
aluminium, whose scores are no independent test of it.
Reference: corrections of Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025), arXiv 2402.01810.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from uqbench.api import LinearMethod, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.box import Box
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.evidence import fit_ridge


@dataclass(frozen=True)
class PopsWhitened(LinearMethod):
    """Exact bounds of a clipped box in whitened coordinates.

    percentile: share of corrections cut from each side of each axis, in percent, in [0, 50).
    """

    percentile: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.percentile < 50.0:
            raise UqbenchError(f"pops_whitened: percentile is {self.percentile}; it must lie in [0, 50).")

    def fit(self, problem: LinearProblem, rng: Generator) -> Box:
        """Corrections are produced block by block and never held."""
        corrections = PointwiseCorrections.of(problem, fit_ridge(problem))
        return Box.whitened(corrections, self.percentile)
