"""Hexagonal close-packed crystals: lattice parameters and elastic constants, for any potential.

Five constants are independent; C66 = (C11 - C12)/2. The atoms move under strains that turn or shear the basal plane,
so slopes with relaxed atoms are not the clamped ones even for C11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from uqbench.errors import UqbenchError
from uqbench.properties.coordinates import PositionsAndCell
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.lattice import WINDOW, cubic_constants, stress_slopes
from uqbench.properties.relax_cell import curvature, polish_cell, relax_cell

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

HEXAGONAL_CONSTANTS: tuple[str, ...] = (
    "lattice_constant",
    "lattice_constant_c",
    "bulk_modulus",
    "C11",
    "C12",
    "C13",
    "C33",
    "C44",
)
"""What hexagonal_constants gives: Å, Å, then GPa."""
BASAL, AXIAL, SHEAR = 0, 2, 3
"""The strains, in Voigt's order, that give all constants of a hexagonal crystal with its axis along z."""


@dataclass(frozen=True)
class Hexagonal:
    """A hexagonal close-packed crystal of one element. a, c: lattice parameters, Å."""

    symbol: str
    a: float
    c: float

    def __post_init__(self) -> None:
        for name in ("a", "c"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise UqbenchError(f"Hexagonal.{name} is {value!r}; a positive length in Å is needed.")

    def at(self, a: float, c: float) -> Hexagonal:
        """The same crystal with other lattice parameters, Å."""
        return replace(self, a=a, c=c)

    def primitive(self) -> Atoms:
        """The cell of two atoms, a along x and c along z."""
        from ase.build import bulk

        return bulk(self.symbol, "hcp", a=self.a, c=self.c)


def lattice_parameters(crystal: Hexagonal, calculator: Calculator) -> Hexagonal:
    """The crystal at rest: no stress along either axis, downhill from the parameters given.

    Raises NotConvergedError, and UnstableError where a or c ends more than 5 % away.
    """
    near = relax_cell(crystal.primitive(), calculator).atoms
    coordinates = PositionsAndCell.symmetric(near)
    found = polish_cell(coordinates, calculator, curvature(coordinates, calculator)).atoms
    a, _, c = found.cell.lengths()
    if max(abs(a / crystal.a - 1), abs(c / crystal.c - 1)) > WINDOW:
        raise UnstableError(
            f"hcp {crystal.symbol}: the crystal relaxes to a = {a:.4f} Å, c = {c:.4f} Å, more than {WINDOW:.0%} from "
            f"a = {crystal.a:.4f} Å, c = {crystal.c:.4f} Å."
        )
    return crystal.at(float(a), float(c))


def hexagonal_constants(crystal: Hexagonal, calculator: Calculator) -> Mapping[str, float]:
    """The HEXAGONAL_CONSTANTS at the potential's own lattice parameters, atoms relaxed under strain.

    The bulk modulus is -V dp/dV with c/a relaxed, 1/Σ_ij S_ij over the first three: an equation of state's, and
    Reuss's, a little under Voigt's. Raises NotConvergedError; UnstableError: parameters far from those given, Born's
    criteria violated, or not a minimum inside the cell.
    """
    from ase.units import GPa

    at_rest = lattice_parameters(crystal, calculator)
    _, slopes = stress_slopes(at_rest.primitive(), calculator, (BASAL, AXIAL, SHEAR))
    c11, c12, c33, c44 = slopes[0, 0], slopes[1, 0], slopes[2, 1], slopes[3, 2]
    c13 = np.mean([slopes[2, 0], slopes[0, 1], slopes[1, 1]])
    bulk = (c33 * (c11 + c12) - 2 * c13**2) / (c11 + c12 + 2 * c33 - 4 * c13)
    moduli = [float(value / GPa) for value in (bulk, c11, c12, c13, c33, c44)]
    found: dict[str, float] = dict(zip(HEXAGONAL_CONSTANTS, (at_rest.a, at_rest.c, *moduli), strict=True))
    if reason := violated_hexagonal(crystal, found):
        raise UnstableError(reason)
    return found


def violated_hexagonal(crystal: Hexagonal, constants: Mapping[str, float]) -> str:
    """Which of Born's criteria of a hexagonal crystal without stress the constants (GPa) violate; "" if none.

    Mouhat & Coudert, Phys. Rev. B 90, 224104 (2014), eq. 12.
    """
    c11, c12, c13, c33, c44 = (constants[name] for name in ("C11", "C12", "C13", "C33", "C44"))
    moduli = {
        "C11 - C12": (c11 - c12, "GPa"),
        "C11 + C12": (c11 + c12, "GPa"),
        "C33 (C11 + C12) - 2 C13²": (c33 * (c11 + c12) - 2 * c13**2, "GPa²"),
        "C44": (c44, "GPa"),
    }
    bad = [f"{name} = {value:.3g} {unit}" for name, (value, unit) in moduli.items() if not value > 0]
    return f"hcp {crystal.symbol}: unstable against strain: {', '.join(bad)}." if bad else ""


def elastic_constants(crystal: Crystal | Hexagonal, calculator: Calculator) -> Mapping[str, float]:
    """Lattice parameters (Å) and all independent elastic constants (GPa) of a crystal, by its own symmetry.

    See cubic_constants and hexagonal_constants for names and errors.
    """
    if isinstance(crystal, Hexagonal):
        return hexagonal_constants(crystal, calculator)
    return cubic_constants(crystal, calculator)
