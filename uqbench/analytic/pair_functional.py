"""Pair functionals E = Σ_i [½ Σ_j φ(r_ij) + F(Σ_j ρ(r_ij))], handed to LAMMPS as tables.

φ and ρ end in a taper with three continuous derivatives, so that elastic constants and phonons see no cutoff.
The table's steps are so fine that a second derivative is the formula's to 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uqbench.api import Array

POINTS = 2000
"""Points of each table."""
CORE = 0.4
"""Share of the start of the taper below which tables are flat: atoms never come so close."""

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class PairFunctional:
    """pair: φ, eV, and density: ρ, without taper, of distances in Å. embedding: F, eV, of densities.

    start, end: of the taper, Å. highest_density: end of the table of F.
    """

    pair: Function
    density: Function
    embedding: Function
    start: float
    end: float
    highest_density: float

    def tapered(self, function: Function, r: Array) -> Array:
        """φ or ρ at distances r (n,), brought to zero at the end."""
        x = np.clip((r - self.start) / (self.end - self.start), 0.0, 1.0)
        # 1 at x = 0, 0 at x = 1, and three derivatives that vanish at both.
        return function(r) * (1.0 - x**4 * (35.0 - 84.0 * x + 70.0 * x**2 - 20.0 * x**3))

    def write(self, symbol: str, folder: Path) -> str:
        """Put the tables into a folder as a setfl file; gives LAMMPS's commands."""
        from ase.data import atomic_masses, atomic_numbers

        number = atomic_numbers[symbol]
        r = np.linspace(0.0, self.end, POINTS)
        density = np.linspace(0.0, self.highest_density, POINTS)
        outside = np.maximum(r, CORE * self.start)
        columns = (
            self.embedding(density),
            self.tapered(self.density, outside),
            r * self.tapered(self.pair, outside),
        )
        lines = ["uqbench.analytic", "", "", f"1 {symbol}"]
        lines.append(f"{POINTS} {density[1].item()!r} {POINTS} {r[1].item()!r} {self.end!r}")
        lines.append(f"{number} {atomic_masses[number].item()!r} 0.0 none")
        lines += [repr(value) for column in columns for value in column.tolist()]
        path = folder / "tables.eam.alloy"
        path.write_text("\n".join(lines) + "\n")
        return f"""pair_style eam/alloy
            pair_coeff * * "{path}" {symbol}"""
