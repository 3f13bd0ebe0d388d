"""A SNAP potential with given coefficients, as an ASE calculator on LAMMPS's pair_style snap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from uqbench.api.prediction import Array
from uqbench.backbones.lammps_cell import Placement, place
from uqbench.backbones.lammps_library import Lammps
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

    from uqbench.backbones.snap import Snap


class SnapCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and, if periodic in three directions, stress (eV/Å³) for coefficients (P,).

    coefficients are in the order of Snap's columns. One LAMMPS instance serves all calls; while only the
    positions of a periodic structure change it keeps the structure loaded. Raises UqbenchError for a wrong
    number of coefficients and for an element not in elements.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 (ASE's convention)

    def __init__(self, snap: Snap, coefficients: Array, elements: tuple[str, ...]) -> None:
        super().__init__()
        values = np.asarray(coefficients, dtype=np.float64)
        if values.shape != (snap.n_features(elements),) or not np.isfinite(values).all():
            raise UqbenchError(
                f"SNAP coefficients have shape {values.shape}; {snap.n_features(elements)} finite numbers are "
                f"needed for {', '.join(elements)}."
            )
        self.elements = elements
        # LAMMPS takes a potential from files only; the folder goes with this object.
        self._folder = TemporaryDirectory(prefix="uqbench-snap-")
        blocks = values.reshape(len(elements), -1)
        self._commands = _write_potential(snap, blocks, elements, self._folder.name)
        self._lammps: Lammps | None = None
        self._loaded: Atoms | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties at once."""
        super().calculate(atoms, list(properties), list(system_changes))
        structure = self.atoms
        if structure is None:
            raise UqbenchError("SnapCalculator was called without a structure; pass atoms.")
        if self._lammps is None:
            self._lammps = Lammps()
        placement = self._load(self._lammps, structure)
        energy = self._lammps.scalar("thermo_pe")
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": placement.vectors_back(self._lammps.forces().reshape(-1, 1)).reshape(-1, 3),
        }
        if placement.periodic == 3:
            # LAMMPS gives pressures xx yy zz xy xz yz in bar.
            pressure = self._lammps.vector("virial")[[0, 1, 2, 5, 4, 3]]
            stress = -pressure / self._lammps.pressure_unit()
            self.results["stress"] = placement.tensor_back(stress[:, None])[:, 0]

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


def _write_potential(snap: Snap, blocks: Array, elements: tuple[str, ...], folder: str) -> str:
    """Write LAMMPS's two files of a SNAP into a folder; returns the commands that use them."""
    from uqbench.backbones.snap import RFAC0

    lines = [f"{len(elements)} {blocks.shape[1]}"]
    for element, weight, block in zip(elements, snap.density_weights(elements), blocks, strict=True):
        lines += [f"{element} 0.5 {weight!r}", *map(repr, block.tolist())]
    parameters = {
        "rcutfac": snap.cutoff,
        "twojmax": snap.twojmax,
        "rfac0": RFAC0,
        "rmin0": 0.0,
        "bzeroflag": 0,
        "quadraticflag": int(snap.quadratic),
        "switchflag": 1,
    }
    coefficient_file, parameter_file = Path(folder, "model.snapcoeff"), Path(folder, "model.snapparam")
    coefficient_file.write_text("\n".join(lines) + "\n")
    parameter_file.write_text("".join(f"{name} {value}\n" for name, value in parameters.items()))
    return f"""pair_style snap
        pair_coeff * * "{coefficient_file}" "{parameter_file}" {" ".join(elements)}
        compute virial all pressure NULL virial
        thermo_style custom pe c_virial[1]
        run 0 post no"""
