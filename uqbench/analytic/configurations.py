"""Training structures of a material: small cells, random displacements and strains; no property's own structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from uqbench.analytic.materials import SUPERCELLS, Material
from uqbench.analytic.phases import PHASES, favoured, primitive
from uqbench.data.neighbours import nearest_distances
from uqbench.properties.lattice import strained

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

STREAM = 1986
"""First part of every seed of structures; the second is the material's number."""
SIXTEEN = {"fcc": (2, 2, 1), "bcc": (2, 2, 2), "diamond": (2, 1, 1)}
"""Conventional cells that hold 16 atoms."""
LARGE = {**SUPERCELLS, "diamond": (2, 2, 1)}
"""Those of the larger vacancy cells: 32, 54 and 32 sites."""
REACH = 0.6
"""eV/atom above the crystal up to which other phases are taken: further off, no fit would want them."""
CLOSEST = 0.8
"""Least distance of two atoms over that of nearest neighbours; one frame beyond would decide a fit's error."""
DIGITS = 8
"""Decimals of positions and cells in Å: what a file holds, so that labels are of what is written."""

GROUPS: Mapping[str, str] = {
    "strain": "primitive cell; random strain of up to 4 %, small displacements",
    "volume": "primitive cell; -4.5 to +5.5 % in length",
    "rattled": "conventional cell; random displacements of 1 to 5 %, strain",
    "thermal": "16 atoms; random displacements of 1 to 4 % as of warm atoms, little strain",
    "vacancy15": "16 sites, one of them vacant; random displacements of 1 to 3.5 %, strain",
    "vacancy_large": "supercell with a vacancy; random displacements of 1 to 3 %, little strain",
    **{phase: f"{phase} cell near its own best density; random displacements and strain" for phase in PHASES},
}
"""What each group holds; displacements as standard deviation of a component over the distance of neighbours."""


def configurations(material: Material, calculator: Calculator) -> list[tuple[str, Atoms]]:
    """65 to 80 structures with their group, the same for the same material.

    Displacements are normal (crystals melt at 6 to 7 %), strains uniform in each of six components; both are drawn
    again where atoms come CLOSEST.
    """
    frames = []
    for group, atoms in _unrounded(material, calculator):
        atoms.positions = atoms.positions.round(DIGITS)
        atoms.set_cell(atoms.cell.array.round(DIGITS))
        frames.append((group, atoms))
    return frames


def _unrounded(material: Material, calculator: Calculator) -> Iterator[tuple[str, Atoms]]:
    rng = np.random.default_rng([STREAM, material.number])
    crystal = material.exact.crystal
    conventional = replace(crystal, supercell=(1, 1, 1)).perfect()
    sixteen = replace(crystal, supercell=SIXTEEN[crystal.structure])
    large = replace(crystal, supercell=LARGE[crystal.structure])

    def shaken(atoms: Atoms, displacement: float, strain: float) -> Atoms:
        while True:
            there = strained(atoms, rng.uniform(-strain, strain, 6))
            there.positions += rng.normal(0.0, displacement * crystal.nearest, there.positions.shape)
            if nearest_distances(there, 1, crystal.nearest).min() > CLOSEST * crystal.nearest:
                return there

    for _ in range(14):
        yield "strain", shaken(crystal.primitive(), 0.01, 0.04)
    for scale in np.linspace(0.96, 1.05, 8):
        yield "volume", crystal.at(crystal.a * (scale + rng.uniform(-0.005, 0.005))).primitive()
    for displacement in np.linspace(0.01, 0.05, 18):
        yield "rattled", shaken(conventional, displacement, 0.015)
    for displacement in np.linspace(0.01, 0.04, 12):
        yield "thermal", shaken(sixteen.perfect(), displacement, 0.01)
    for displacement in np.linspace(0.01, 0.035, 6):
        yield "vacancy15", shaken(sixteen.vacancy(), displacement, 0.02)
    for displacement in np.linspace(0.01, 0.03, 4):
        yield "vacancy_large", shaken(large.vacancy(), displacement, 0.01)
    for phase, nearest in _relatives(material, calculator):
        for scale in (0.97, 0.985, 1.0, 1.015, 1.03):
            yield phase, shaken(primitive(phase, material.symbol, nearest * scale), 0.02, 0.02)


def _relatives(material: Material, calculator: Calculator) -> Iterator[tuple[str, float]]:
    """Other phases within REACH, each with the distance of nearest neighbours that it favours, Å."""
    crystal = material.exact.crystal
    atoms = crystal.primitive()
    atoms.calc = calculator
    ground = atoms.get_potential_energy() / len(atoms)
    for phase in PHASES:
        if phase != crystal.structure:
            found = favoured(phase, crystal.symbol, calculator, crystal.nearest * np.linspace(0.88, 1.12, 13))
            if found is not None and found[1] < ground + REACH:
                yield phase, found[0]
