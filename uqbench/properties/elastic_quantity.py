"""Lattice constants, bulk modulus and elastic constants of cubic and hexagonal crystals as quantities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uqbench.api import Array, LinearBackbone, Propagator, Quantity
from uqbench.properties.crystal import Crystal
from uqbench.properties.hexagonal import HEXAGONAL_CONSTANTS, Hexagonal, hexagonal_constants
from uqbench.properties.lattice import CONSTANTS, cubic_constants
from uqbench.properties.lattice_table import LatticeTable

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class CubicConstants(Quantity):
    """At the potential's own lattice constant, sought near the crystal's."""

    crystal: Crystal

    @property
    def units(self) -> Mapping[str, str]:
        """Å and GPa; C44 with clamped atoms is a property of its own only where atoms can relax."""
        names = CONSTANTS if self.crystal.structure == "diamond" else CONSTANTS[:-1]
        return {name: "Å" if name == "lattice_constant" else "GPa" for name in names}

    def measure(self, potential: Calculator) -> Mapping[str, float]:
        """By small strains. Raises UnstableError."""
        found = cubic_constants(self.crystal, potential)
        return {name: found[name] for name in self.units}

    def propagator(
        self, backbone: LinearBackbone, elements: tuple[str, ...], mean: Array, samples: Array
    ) -> Propagator:
        """From tables in the lattice constant."""
        return LatticeTable.about(backbone, elements, self.crystal, backbone.kink()).constants


@dataclass(frozen=True)
class HexagonalConstants(Quantity):
    """Of an hcp crystal at the potential's own lattice parameters, sought near the crystal's."""

    crystal: Hexagonal

    @property
    def units(self) -> Mapping[str, str]:
        """Å and GPa."""
        return {name: "Å" if name.startswith("lattice") else "GPa" for name in HEXAGONAL_CONSTANTS}

    def measure(self, potential: Calculator) -> Mapping[str, float]:
        """By small strains. Raises UnstableError and NotConvergedError."""
        return hexagonal_constants(self.crystal, potential)
