"""A UQ method: a frozen dataclass in a file of its own; its fields are its parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.random import Generator

from uqbench.api.linear import LinearProblem, ParameterPosterior


class Method(ABC):
    """Subclass LinearMethod or NetworkMethod.

    distributions: installed packages that it needs beyond uqbench's own. variants: parameter sets that earn a
    row of their own in a default run; the command line writes them as NAME:field=value.
    """

    distributions: ClassVar[tuple[str, ...]] = ()
    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)


class LinearMethod(Method):
    """A method for any linear backbone: it sees rows and labels, and nothing atomistic."""

    @abstractmethod
    def fit(self, problem: LinearProblem, rng: Generator) -> ParameterPosterior:
        """Fit to the training rows; all randomness comes from rng."""
