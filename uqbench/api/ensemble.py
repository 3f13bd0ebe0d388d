"""Several potentials as one posterior: their mean predicts, their spread is the error bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api.committee import Potential
from uqbench.api.network import Properties
from uqbench.api.posterior import Posterior
from uqbench.api.prediction import Array, Prediction, Predictions

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Ensemble(Posterior):
    """M >= 2 potentials; samples are their own predictions, so intervals are Student's (Prediction.interval).

    device: where they predict. Stress is given if they give it for every structure that has one.
    """

    potentials: tuple[Potential, ...]
    device: str
    facts: Mapping[str, float | str]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Mean and spread (ddof = 1) of the members; see Posterior.predict."""
        return spread([p.predict(structures, self.device) for p in self.potentials], structures)

    def members(self) -> Sequence[Calculator]:
        """The potentials as calculators."""
        return [potential.calculator(self.device) for potential in self.potentials]


def spread(members: Sequence[Sequence[Properties]], structures: Sequence[Atoms]) -> Predictions:
    """Mean and standard deviation (ddof = 1) of what M >= 2 members say of structures, and all of it as samples."""
    sizes = [len(atoms) for atoms in structures]
    return Predictions(
        _spread([[np.array([p.energy / n]) for p, n in zip(one, sizes, strict=True)] for one in members]),
        _spread([[p.forces.ravel() for p in one] for one in members]),
        _stress(members, structures),
    )


def _stress(found: Sequence[Sequence[Properties]], structures: Sequence[Atoms]) -> Prediction | None:
    periodic = [i for i, atoms in enumerate(structures) if atoms.pbc.all()]
    members = [[s for i in periodic if (s := one[i].stress) is not None] for one in found]
    complete = all(len(stresses) == len(periodic) for stresses in members)
    return _spread(members) if complete else None


def _spread(members: Sequence[Sequence[Array]]) -> Prediction:
    samples = np.array([np.concatenate([np.empty(0), *parts]) for parts in members])
    return Prediction(samples.mean(axis=0), samples.std(axis=0, ddof=1), samples=samples)
