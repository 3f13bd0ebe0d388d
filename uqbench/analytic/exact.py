"""Properties of a potential that is its own truth: nothing but rounding stands between them and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.lattice import cubic_constants
from uqbench.properties.relax import hessian, relax
from uqbench.properties.vacancy import Vacancy, vacancy_energy

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

LEAST_MODULUS = 10.0
"""GPa; a crystal softer than this in C11 - C12 or C44 is near an instability."""
LEAST_CURVATURE = 0.3
"""eV/Å²; likewise of the softest displacement about the relaxed vacancy."""


@dataclass(frozen=True)
class Exact:
    """crystal: at the potential's own lattice constant, with the supercell of the vacancy. constants: Å and GPa."""

    crystal: Crystal
    constants: Mapping[str, float]
    vacancy: Vacancy


def exact_properties(near: Crystal, calculator: Calculator) -> Exact:
    """The properties of a crystal sought near the given one.

    Raises UnstableError and NotConvergedError where the crystal or its vacancy is not, or hardly, stable: a model
    that is a little off would have no such properties.
    """
    constants = cubic_constants(near, calculator)
    soft = min(constants["C11"] - constants["C12"], constants["C44"])
    if soft < LEAST_MODULUS:
        raise UnstableError(
            f"{near.structure} {near.symbol}: a shear modulus of {soft:.3g} GPa is hardly stable."
        )
    crystal = near.at(constants["lattice_constant"])
    vacancy = vacancy_energy(crystal, calculator)
    relaxed = relax(crystal.vacancy(), calculator).atoms
    # Sorted by size: three translations cost nothing; relaxation alone would stop at a saddle of full symmetry.
    curvatures = np.linalg.eigvalsh(hessian(relaxed, calculator))
    softest = float(np.delete(curvatures, np.argsort(np.abs(curvatures))[:3]).min())
    if softest < LEAST_CURVATURE:
        raise UnstableError(
            f"{near.structure} {near.symbol}: a displacement beside the vacancy has curvature {softest:.3g} eV/Å²."
        )
    return Exact(crystal, constants, vacancy)
