"""A task: which observables are predicted, and the references they are scored against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api.frame import Frame
from uqbench.api.posterior import Posterior
from uqbench.api.prediction import Array, Prediction

if TYPE_CHECKING:
    from uqbench.api.material import Material
    from uqbench.api.quantity import Quantity


@dataclass(frozen=True)
class Table:
    """Predictions next to references: n observables of one kind and unit.

    structure: (n,) index into the frames given to the task. scored: (n,) False for components that symmetry
    makes zero: they are counted and never scored.
    """

    unit: str
    prediction: Prediction
    reference: Array
    structure: NDArray[np.int64]
    scored: NDArray[np.bool_]


class NotApplicable(Exception):
    """Raised where a posterior or a material cannot carry a task; the message is the reason."""


class Task(ABC):
    """A frozen dataclass in a file of its own, named after the file. Subclass FrameTask or PropertyTask."""


class FrameTask(Task):
    """Labels of held-out structures, predicted by the fit of each fold."""

    @abstractmethod
    def evaluate(self, posterior: Posterior, frames: Sequence[Frame]) -> Mapping[str, Table]:
        """Predict the frames and lay predictions beside labels, one Table a kind of observable.

        A kind that no frame is labelled with is left out. Raises NotApplicable with the reason.
        """


class PropertyTask(Task):
    """Simulation results of one material, predicted by the fit on the whole pool and compared with its references."""

    @abstractmethod
    def quantities(self, material: Material) -> Sequence[Quantity]:
        """What is to be computed for a material. Raises NotApplicable with the reason."""
