"""POPS by atoms: bounds from the parameter changes that reproduce all force components of one atom, trimmed.

Ours, not the published algorithm (that is `pops_reference`): a correction for each atom instead of each component, so
that nothing depends on how the axes lie; the corrections that cost most are left out, since a few rows that the model
can hardly move else decide every bound; and bounds are the hull of what remains, which is far tighter than a box.

Cost: three passes over the rows at the fit, O(n P) a predicted row for n training atoms.
Limits: as all of POPS conservative where errors are small; does not reach the errors left out, so it claims the
share it keeps. Developed on SNAP for Cu, Mo, Si and Li of Zuo et al. (2020) and the embedded aluminium, whose scores
are no independent test of it.
Reference: extends Swinburne & Perez, Mach. Learn.: Sci. Technol. 6, 015008 (2025), eq. of the pointwise-optimal
corrections, to blocks of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from uqbench.api import LinearMethod, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.atom_blocks import AtomBlockCorrections
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.hull import Hull


@dataclass(frozen=True)
class PopsHull(LinearMethod):
    """Trimmed hull of atom-block corrections.

    keep: share of the corrections of each kind that is kept, those of least cost, in (0, 1].
    """

    keep: float = 0.99

    def __post_init__(self) -> None:
        if not 0.0 < self.keep <= 1.0:
            raise UqbenchError(f"pops_hull: keep is {self.keep}; it must lie in (0, 1].")

    def fit(self, problem: LinearProblem, rng: Generator) -> Hull:
        """Deterministic; the corrections stay where the rows are."""
        ridge = fit_ridge(problem)
        return Hull.of(AtomBlockCorrections.of(problem, ridge, self.keep), nominal=self.keep)
