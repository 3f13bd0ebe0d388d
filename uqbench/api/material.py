"""What a property task knows of a material: its crystal, and reference values with their protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reference:
    """A property computed with the method that made the labels.

    error: estimate of its numerical error, in the unit of the value, or None where none is known. protocol: how it
    was computed, for the same computation by a model; empty where that is not known. crystal: structure and
    lattice constants (Å) it speaks of, or None.
    """

    value: float
    unit: str
    error: float | None
    protocol: Mapping[str, Any]
    crystal: Lattice | None


@dataclass(frozen=True)
class Lattice:
    """A crystal structure ("fcc", "bcc", "diamond", "sc", "hcp") and its lattice constants, Å."""

    structure: str
    a: float
    c: float | None = None


@dataclass(frozen=True)
class Material:
    """name: of the dataset. lattice: the ground state's, as the references have it."""

    name: str
    symbol: str
    lattice: Lattice
    references: Mapping[str, Reference]
