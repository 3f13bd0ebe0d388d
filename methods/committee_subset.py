"""Committee on subsets: linear fits to random parts of the training clusters, or of the features.

Cost: one or two passes over the rows and one factorisation a member; a prediction costs M dot products.
Limits: the spread depends on the share, which has no principled value: a share f of the data, drawn without
replacement, gives √((1 − f)/f) times the spread of a bootstrap (halves the same); subsets of features measure how far
other models of the family would differ.
Reference: subsampled committees: Peterson, Christensen & Khorshidi, Phys. Chem. Chem. Phys. 19, 10978 (2017);
random subspaces: Ho, IEEE Trans. Pattern Anal. Mach. Intell. 20, 832 (1998).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.random import Generator

from uqbench.api import LinearMethod, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate
from uqbench.linear.posteriors import Samples
from uqbench.linear.resampling import cluster_subsets, feature_subsets


@dataclass(frozen=True)
class CommitteeSubset(LinearMethod):
    """Refits on random subsets.

    of: "data" (clusters) or "features". share: of them that each member sees, in (0, 1). members: at least 2.
    """

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"of": "features", "share": 0.8})

    of: Literal["data", "features"] = "data"
    share: float = 0.5
    members: int = 32

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UqbenchError(f"committee_subset: share is {self.share}; it must lie in (0, 1).")
        if self.members < 2:
            raise UqbenchError(f"committee_subset: members is {self.members}; at least 2 are needed.")

    def fit(self, problem: LinearProblem, rng: Generator) -> Samples:
        """The precisions are those of the fit to all rows and features."""
        normal = accumulate(problem)
        ridge = maximise_evidence(normal)
        if self.of == "features":
            members = feature_subsets(normal, ridge, self.members, self.share, rng)
        else:
            members = cluster_subsets(problem, ridge, self.members, self.share, rng)
        return Samples(members, ridge.facts, ridge.device)
