"""Any property that is a weighted sum of energies of structures, each as it is or relaxed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from uqbench.api import Array, LinearBackbone, Propagator, Quantity, Resampled, Status
from uqbench.properties.conjugate import affordable_expansion
from uqbench.properties.coordinates import Coordinates, Positions, PositionsAndCell
from uqbench.properties.gate import gated_energies
from uqbench.properties.implicit import Expansion
from uqbench.properties.relax import relax
from uqbench.properties.relax_cell import curvature, polish_cell, relax_cell

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

Relaxed = Literal["nothing", "positions", "cell"]
"""What of a structure is relaxed; "cell": positions and cell. The symmetry of the start is kept."""
TIGHT = 1e-9
"""Largest force, eV/Å, at the minimum that is expanded about."""


@dataclass(frozen=True)
class Term:
    """weight times the total energy of a structure."""

    weight: float
    atoms: Atoms
    relaxed: Relaxed = "nothing"


@dataclass(frozen=True)
class EnergySum(Quantity):
    """name: of the property. unit: that of a weight times eV. terms: what is summed."""

    name: str
    unit: str
    terms: tuple[Term, ...]

    @property
    def units(self) -> Mapping[str, str]:
        """One property."""
        return {self.name: self.unit}

    def measure(self, potential: Calculator) -> Mapping[str, float]:
        """Every structure relaxed from where it is. Raises NotConvergedError."""
        return {self.name: sum(term.weight * _energy(term, potential) for term in self.terms)}

    def propagator(
        self, backbone: LinearBackbone, elements: tuple[str, ...], mean: Array, samples: Array
    ) -> Propagator:
        """Exact for what is not relaxed; one evaluation a sample, or a relaxation behind the gate, for the rest."""
        static = _row(self._static(), backbone, elements)
        potential = backbone.potential(mean, elements)
        expansions = [
            (term.weight, affordable_expansion(backbone, elements, _at_rest(term, potential), samples))
            for term in self.terms
            if term.relaxed != "nothing"
        ]
        return lambda some: self._carried(static, expansions, some)

    def _carried(
        self, static: Array, expansions: Sequence[tuple[float, Expansion]], samples: Array
    ) -> Resampled:
        n = len(samples)
        total, accepted = samples @ static, np.ones(n, dtype=bool)
        status: list[Status] = ["ok"] * n
        reasons = [""] * n
        for weight, expansion in expansions:
            found = gated_energies(expansion, samples).result
            total += weight * found.values[:, 0]
            accepted &= found.accepted
            for i in np.flatnonzero(~found.ok):
                status[i] = found.status[i]
                reasons[i] = "; ".join(filter(None, (reasons[i], found.reasons[i])))
        return Resampled((self.name,), total[:, None], tuple(status), tuple(reasons), accepted)

    def rows(self, backbone: LinearBackbone, elements: tuple[str, ...]) -> Mapping[str, Array]:
        """The row, if nothing is relaxed."""
        if any(term.relaxed != "nothing" for term in self.terms):
            return {}
        return {self.name: _row(self.terms, backbone, elements)}

    def noise_variance(self, variance: Callable[[Atoms], float]) -> Mapping[str, float]:
        """Σ weight² Var E of the structures as they are, before relaxation."""
        return {self.name: sum(term.weight**2 * variance(term.atoms) for term in self.terms)}

    def _static(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if term.relaxed == "nothing")


def _row(terms: tuple[Term, ...], backbone: LinearBackbone, elements: tuple[str, ...]) -> Array:
    """(P,) row of the sum of terms that are not relaxed."""
    total = np.zeros(backbone.n_features(elements))
    structures = [term.atoms for term in terms]
    for term, rows in zip(terms, backbone.rows(structures, elements), strict=True):
        total += term.weight * len(term.atoms) * rows[0]
    return total


def _energy(term: Term, potential: Calculator) -> float:
    if term.relaxed == "positions":
        return relax(term.atoms, potential).energy
    if term.relaxed == "cell":
        return relax_cell(term.atoms, potential).energy
    atoms = term.atoms.copy()
    atoms.calc = potential
    return float(atoms.get_potential_energy())


def _at_rest(term: Term, potential: Calculator) -> Coordinates:
    """What keeps the symmetry of the structure, about its minimum."""
    if term.relaxed == "positions":
        return Positions.symmetric(relax(term.atoms, potential, tolerance=TIGHT, max_steps=200).atoms)
    near = PositionsAndCell.symmetric(relax_cell(term.atoms, potential).atoms)
    return PositionsAndCell.symmetric(polish_cell(near, potential, curvature(near, potential)).atoms)
