"""What carries out the fits of one method on one backbone, fold by fold, and what a fit is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uqbench.api import Frame, Posterior
from uqbench.api.network import Say
from uqbench.data.split import Fold
from uqbench.linear.arrays import Arrays
from uqbench.linear.references import fit_references
from uqbench.suite.job import Job
from uqbench.suite.networks import Training

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Fitted:
    """One fit of a run: on a fold's training part, or on the pool.

    fresh: the posterior with nothing looked up. bare: makes the potential whose time predictions are compared with: it
    computes energy, forces and stress of structures, in batches where the posterior does.
    seconds: see cost.fit of a record. rows_us_per_atom: of design rows, where there are any. trainings: what the
    networks took, the one that all methods share first.
    """

    posterior: Posterior
    fresh: Posterior
    bare: Callable[[], Callable[[Sequence[Atoms]], object]]
    references: Mapping[str, float]
    facts: dict[str, float | str]
    seconds: dict[str, float]
    rows_us_per_atom: float | None = None
    trainings: tuple[Training, ...] = ()


class Fitter(ABC):
    """Fits one method on one backbone, fold by fold."""

    def __init__(self, job: Job, say: Say) -> None:
        self.job, self.say = job, say
        self.frames: Sequence[Frame] = job.dataset.frames
        self.elements = job.dataset.elements
        self.arrays = Arrays(job.fit.device)

    @abstractmethod
    def fit(self, number: int, fold: Fold, name: str) -> Fitted:
        """Fit to the training part of a fold. number: seeds the fit. name: of the fold, for people."""

    def training(self, fold: Fold) -> tuple[list[Frame], dict[str, float]]:
        """Training frames, and the card's reference energies or those fitted to them."""
        train = [self.frames[i] for i in fold.train]
        card = self.job.dataset.card
        given = dict(card.energy_references) if card and card.energy_references else None
        return train, given or fit_references(train, self.elements)


def one_by_one(calculator: Calculator) -> Callable[[Sequence[Atoms]], object]:
    """A potential that has no batches: energy, forces and, where there is one, stress of each structure in turn."""

    def bare(structures: Sequence[Atoms]) -> None:
        for atoms in structures:
            calculator.calculate(atoms, ["energy", "forces"] + ["stress"] * bool(atoms.pbc.all()))

    return bare
