"""Lattice and elastic constants of many parameter samples from tables in the lattice constant.

Stress and elastic slopes of the ideal crystal are linear in θ, and smooth in a between the values where a shell of
neighbours crosses the cutoff (SNAP's second derivative jumps there): Chebyshev panels between them hold all that a
sample needs, so its own a₀ and C_ij(a₀) cost dot products. In diamond a yz shear moves the two sublattices apart
along x by H⁻¹ ∂f/∂γ; both are linear in θ too, and C44 is their quotient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, LinearBackbone, Resampled, Status
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import Crystal
from uqbench.properties.lattice import (
    CONSTANTS,
    SHEAR,
    STRAIN,
    UNIAXIAL,
    WINDOW,
    named_constants,
    no_lattice_constant,
    strained,
    violated,
)
from uqbench.properties.relax import DISPLACEMENT

if TYPE_CHECKING:
    from ase import Atoms

NODES = 13
GRID = 65
"""Points a panel at which the sign of the stress is looked at."""
PRESSURE, C11, C12, C44, COUPLING, OPTICAL = range(6)
"""Tabulated rows: mean stress and clamped slopes (eV/Å³); -∂f/∂γ_yz (eV/Å) and -∂f/∂u of a diamond's second atom."""


@dataclass(frozen=True)
class Panel:
    """Chebyshev coefficients (NODES, 6, P) of the tabulated rows on low <= a <= high, Å."""

    low: float
    high: float
    coefficients: Array

    def scaled(self, a: Array) -> Array:
        """a mapped to [-1, 1]."""
        return (2 * a - self.low - self.high) / (self.high - self.low)


@dataclass(frozen=True)
class LatticeTable:
    """crystal: its a is the centre of the window. panels: in ascending a."""

    crystal: Crystal
    panels: tuple[Panel, ...]

    @classmethod
    def about(
        cls, backbone: LinearBackbone, elements: tuple[str, ...], crystal: Crystal, cutoff: float | None
    ) -> LatticeTable:
        """Tables within 5 % of crystal.a: 13 nodes a panel, 5 evaluations a node (7 for diamond).

        cutoff: that of the backbone, Å; panels end where a shell crosses it. None: one panel.
        """
        edges = _edges(crystal, cutoff)
        return cls(
            crystal,
            tuple(_panel(backbone, elements, crystal, low, high) for low, high in pairwise(edges)),
        )

    def constants(self, samples: Array) -> Resampled:
        """The CONSTANTS of uqbench.properties.lattice for coefficients (n, P), as cubic_constants gives them."""
        n = len(samples)
        a, panel = self._lattice_constants(samples)
        values = np.full((n, len(CONSTANTS)), np.nan)
        missing = str(no_lattice_constant(self.crystal))
        status: list[Status] = ["unstable"] * n
        reasons = [missing] * n
        for number, table in enumerate(self.panels):
            chosen = np.flatnonzero(panel == number)
            basis = np.polynomial.chebyshev.chebvander(table.scaled(a[chosen]), NODES - 1)
            # Contract the node axis last: (n, NODES, 6) is small, (n, 6, P) is not.
            by_node = np.tensordot(samples[chosen], table.coefficients, (1, 2))
            rows = np.einsum("nk,nkq->nq", basis, by_node)
            for i, row in zip(chosen, rows, strict=True):
                reasons[i], values[i] = self._finish(a[i], row)
                status[i] = "unstable" if reasons[i] else "ok"
        return Resampled(CONSTANTS, values, tuple(status), tuple(reasons), np.ones(n, dtype=bool))

    def _finish(self, a: float, row: Array) -> tuple[str, list[float]]:
        """Why a sample is unstable, or its constants."""
        none = [np.nan] * len(CONSTANTS)
        c44 = row[C44]
        if self.crystal.structure == "diamond":
            if not row[OPTICAL] > 0:
                return (
                    f"diamond {self.crystal.symbol}: moving the sublattices apart has curvature "
                    f"{row[OPTICAL]:.3g} eV/Å²; the crystal is not a minimum."
                ), none
            c44 -= row[COUPLING] ** 2 / row[OPTICAL] / (a**3 / 4)
        constants = named_constants(a, row[C11], row[C12], c44, row[C44])
        reason = violated(self.crystal, constants)
        return reason, none if reason else list(constants.values())

    def _lattice_constants(self, samples: Array) -> tuple[Array, np.ndarray]:
        """a₀ (n,) nearest to the centre with stress zero and rising, and its panel; nan and -1 where there is none."""
        x = np.cos(np.pi * (1 - np.arange(GRID) / (GRID - 1)))
        values = np.polynomial.chebyshev.chebvander(x, NODES - 1)
        best = np.full(len(samples), np.nan)
        owner = np.full(len(samples), -1)
        for number, table in enumerate(self.panels):
            series = table.coefficients[:, PRESSURE] @ samples.T
            stress = values @ series
            rising = (stress[:-1] < 0) & (stress[1:] >= 0)
            for left, i in zip(*np.nonzero(rising), strict=True):
                root = _root(series[:, i], float(x[left]), float(x[left + 1]))
                a = 0.5 * (table.low + table.high + root * (table.high - table.low))
                if not abs(a - self.crystal.a) >= abs(best[i] - self.crystal.a):
                    best[i], owner[i] = a, number
        return best, owner


def _root(series: Array, low: float, high: float) -> float:
    from scipy.optimize import root_scalar

    return float(root_scalar(np.polynomial.Chebyshev(series), bracket=(low, high), xtol=1e-13).root)


def _edges(crystal: Crystal, cutoff: float | None) -> list[float]:
    """The window's ends, and between them the lattice constants at which a shell crosses the cutoff."""
    if cutoff is None:
        return [crystal.a * (1 - WINDOW), crystal.a * (1 + WINDOW)]
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise UqbenchError(f"cutoff is {cutoff!r}; the backbone's cutoff in Å is needed.")
    low, high = crystal.a * (1 - WINDOW), crystal.a * (1 + WINDOW)
    atoms = crystal.at(1.0).primitive()
    reach = cutoff / low
    n = int(np.ceil(reach * np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0).max())) + 1
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3), axis=-1).reshape(-1, 3)
    sites = (steps @ atoms.cell.array)[:, None] + atoms.positions - atoms.positions[0]
    shells = np.unique(np.linalg.norm(sites, axis=-1).round(9))
    crossings = cutoff / shells[shells > 0]
    return [low, *sorted(float(c) for c in crossings if low < c < high), high]


def _panel(
    backbone: LinearBackbone, elements: tuple[str, ...], crystal: Crystal, low: float, high: float
) -> Panel:
    x = np.polynomial.chebyshev.chebpts1(NODES)
    lattice = 0.5 * (low + high + x * (high - low))
    # Differences must not reach over an end of the panel, where second derivatives jump.
    steps = np.minimum(1.0, 0.5 * np.minimum(lattice - low, high - lattice) / (STRAIN * lattice))
    nodes = [(crystal.at(float(a)), float(step)) for a, step in zip(lattice, steps, strict=True)]
    rows = backbone.rows([atoms for node in nodes for atoms in _structures(*node)], elements)
    table = np.array([_tabulated(there, step, rows) for there, step in nodes])
    vander = np.polynomial.chebyshev.chebvander(x, NODES - 1)
    coefficients = np.linalg.solve(vander, table.reshape(NODES, -1)).reshape(table.shape)
    return Panel(low, high, np.asarray(coefficients, dtype=np.float64))


def _structures(crystal: Crystal, step: float) -> Iterator[Atoms]:
    """The cells evaluated at a node, in the order that _tabulated reads them; step: share of the usual one."""
    at_rest = crystal.primitive()
    yield at_rest
    for strain in (UNIAXIAL, SHEAR):
        for sign in (1.0, -1.0):
            yield strained(at_rest, sign * step * STRAIN * np.eye(6)[strain])
    if crystal.structure == "diamond":
        for sign in (1.0, -1.0):
            moved = at_rest.copy()
            moved.positions[1, 0] += sign * step * DISPLACEMENT
            yield moved


def _tabulated(crystal: Crystal, step: float, rows: Iterator[Array]) -> Array:
    """(6, P) rows of PRESSURE ... OPTICAL at one node."""
    resting = next(rows)
    along, across = ((next(rows) - next(rows)) / (2 * step * STRAIN) for _ in range(2))
    found = np.zeros((6, resting.shape[1]))
    found[PRESSURE] = resting[-6:-3].mean(axis=0)
    found[C11], found[C12] = along[-6], along[-5:-3].mean(axis=0)
    found[C44] = across[-3]
    if crystal.structure == "diamond":
        # Rows: energy, forces of atom 0 (1 to 3) and of atom 1 (4 to 6), stress.
        apart = (next(rows) - next(rows)) / (2 * step * DISPLACEMENT)
        found[COUPLING], found[OPTICAL] = -across[4], -apart[4]
    return found
