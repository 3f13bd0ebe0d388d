"""A material drawn by number: a family's potential with random parameters, whose crystal and vacancy are stable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from uqbench.analytic.exact import Exact, exact_properties
from uqbench.analytic.families import FAMILIES, Family
from uqbench.analytic.phases import favoured
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import NEAREST, Crystal, Structure
from uqbench.properties.failures import NotConvergedError, UnstableError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

STREAM = 1985
"""First part of every seed of parameters; the second is the number."""
MOST_DRAWS = 50
DISTANCES = np.linspace(0.8, 1.4, 31)
"""Where the crystal's least energy is sought, in units of the family's length."""
SUPERCELLS: Mapping[Structure, tuple[int, int, int]] = {
    "fcc": (2, 2, 2),
    "bcc": (3, 3, 3),
    "diamond": (2, 2, 2),
}


@dataclass(frozen=True)
class Material:
    """parameters: of the family's potential, Å and eV. redraws: draws thrown away before as unstable."""

    number: int
    family: Family
    parameters: Mapping[str, float] = field(hash=False)
    redraws: int = 0

    @classmethod
    def draw(cls, number: int) -> Material:
        """The material of a number, the same for ever; families take turns.

        Raises UqbenchError for a negative number.
        """
        if number < 0:
            raise UqbenchError(f"analytic material {number}: the number is negative; count from 0.")
        family = FAMILIES[number % len(FAMILIES)]
        rng = np.random.default_rng([STREAM, number])
        for redraws in range(MOST_DRAWS):
            material = cls(number, family, _parameters(family, rng), redraws)
            try:
                _ = material.exact
            except (UnstableError, NotConvergedError):
                continue
            return material
        raise UqbenchError(
            f"analytic material {number}: none of {MOST_DRAWS} draws of {family.name} is stable; leave it out."
        )

    @property
    def name(self) -> str:
        """What its dataset is called."""
        return name_of(self.number)

    @property
    def symbol(self) -> str:
        """The element that its atoms pass for."""
        return self.family.symbol

    @property
    def structure(self) -> Structure:
        """Of its crystal."""
        return self.family.structure

    def calculator(self) -> Calculator:
        """The potential: energy, forces and stress, by LAMMPS."""
        from uqbench.backbones.lammps_potential import LammpsCalculator

        return LammpsCalculator((self.symbol,), partial(self.family.write, self.parameters, self.symbol))

    @cached_property
    def exact(self) -> Exact:
        """Its properties. Raises UnstableError and NotConvergedError."""
        calculator = self.calculator()
        distances = self.parameters[self.family.length] * DISTANCES
        found = favoured(self.structure, self.symbol, calculator, distances)
        if found is None:
            raise UnstableError(
                f"{self.name}: no least energy of {self.structure} near {distances.mean():.3g} Å."
            )
        a = found[0] / NEAREST[self.structure]
        near = Crystal(self.structure, self.symbol, a, SUPERCELLS[self.structure])
        return exact_properties(near, calculator)


def name_of(number: int) -> str:
    """Name of the dataset of a number."""
    return f"analytic_{number:03d}"


def _parameters(family: Family, rng: Generator) -> dict[str, float]:
    """Uniform in the family's ranges; to six digits, so that a card states them in full."""
    return {name: float(f"{rng.uniform(low, high):.6g}") for name, (low, high) in family.ranges.items()}
