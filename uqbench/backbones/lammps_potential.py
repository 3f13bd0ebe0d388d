"""Any potential that LAMMPS knows, as an ASE calculator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.backbones.lammps_cell import Placement, place
from uqbench.backbones.lammps_library import Lammps
from uqbench.backbones.whole_calculator import WholeCalculator

if TYPE_CHECKING:
    from ase import Atoms


class LammpsCalculator(WholeCalculator):
    """Energy (eV), forces (eV/Å) and, if periodic in three directions, stress (eV/Å³).

    write: puts the potential's files into a folder and gives the commands that use them (pair_style, pair_coeff)
    with types numbered as elements. One LAMMPS instance serves all calls; while only the positions of a periodic
    structure change it keeps the structure loaded. Raises UqbenchError for an element not in elements.
    """

    def __init__(self, elements: tuple[str, ...], write: Callable[[Path], str]) -> None:
        super().__init__()
        self.elements = elements
        # LAMMPS takes a potential from files only; the folder goes with this object.
        self._folder = TemporaryDirectory(prefix="uqbench-potential-")
        self._commands = f"""{write(Path(self._folder.name))}
            compute virial all pressure NULL virial
            thermo_style custom pe c_virial[1]
            run 0 post no"""
        self._lammps: Lammps | None = None
        self._loaded: Atoms | None = None

    def compute(self, structure: Atoms) -> dict[str, Any]:
        """All properties at once."""
        if self._lammps is None:
            self._lammps = Lammps()
        placement = self._load(self._lammps, structure)
        energy = self._lammps.scalar("thermo_pe")
        results = {
            "energy": energy,
            "free_energy": energy,
            "forces": placement.vectors_back(self._lammps.forces().reshape(-1, 1)).reshape(-1, 3),
        }
        if placement.periodic == 3:
            # LAMMPS gives pressures xx yy zz xy xz yz in bar.
            pressure = self._lammps.vector("virial")[[0, 1, 2, 5, 4, 3]]
            stress = -pressure / self._lammps.pressure_unit()
            results["stress"] = placement.tensor_back(stress[:, None])[:, 0]
        return results

    def _load(self, lammps: Lammps, atoms: Atoms) -> Placement:
        before, self._loaded = self._loaded, None  # forgotten if LAMMPS fails
        if before is not None and _only_moved(before, atoms):
            placement = place(atoms)
            lammps.move(placement.positions)
            lammps.command("run 0 post no")
        else:
            placement = lammps.load(atoms, self.elements, self._commands)
        self._loaded = atoms.copy()
        return placement


def _only_moved(before: Atoms, after: Atoms) -> bool:
    """True if the box that LAMMPS holds is right for the new positions too."""
    return bool(
        after.pbc.all()
        and before.pbc.all()
        and np.array_equal(before.numbers, after.numbers)
        and np.array_equal(before.cell.array, after.cell.array)
    )
