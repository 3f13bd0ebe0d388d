"""Structures from the HDF5 files of ANI-1x and Transition1x, as their publishers lay them out, group by group.

ANI-1x (github.com/aiqm/ANI1x_datasets, dataloader.py and README.md): one group a composition, with atomic_numbers (N,),
coordinates (n, N, 3) in Å, wb97x_dz.energy (n,) in Ha and wb97x_dz.forces (n, N, 3) in Ha/Å; nan where a label is
missing.
Transition1x (gitlab.com/matschreiner/Transition1x, dataloader.py and README.md): groups data, train, val and test, in
each FORMULA/REACTION with atomic_numbers (N,), positions (n, N, 3) in Å, wB97x_6-31G(d).energy (n,) in eV and
wB97x_6-31G(d).forces (n, N, 3) in eV/Å, and the same in its groups reactant, transition_state and product, but for
atomic_numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

Layout = Literal["ani1x", "transition1x"]
ENDS = ("reactant", "transition_state", "product")


@dataclass(frozen=True)
class Selection:
    """Which structures are taken.

    per_group: at most so many of a composition of ANI-1x, or of the path of a reaction of Transition1x, evenly
    spaced. most_atoms: in a structure. elements: those that may occur, all if empty. split: of Transition1x, as
    published ("data" is all three); ANI-1x has none.
    """

    per_group: int = 100
    most_atoms: int | None = None
    elements: tuple[str, ...] = ()
    split: Literal["data", "train", "val", "test"] | None = None

    def __post_init__(self) -> None:
        for name in ("per_group", "most_atoms"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UqbenchError(f"{name} is {value}; a positive number is needed.")

    def admits(self, numbers: NDArray[np.int64]) -> bool:
        """Whether molecules of these atoms are taken."""
        from ase.data import chemical_symbols

        if self.most_atoms is not None and len(numbers) > self.most_atoms:
            return False
        return not self.elements or {chemical_symbols[z] for z in numbers} <= set(self.elements)


def read_hdf5(path: Path, layout: Layout, selection: Selection) -> Iterator[Atoms]:
    """Labelled structures (eV, eV/Å), with config_type and "molecule" or "reaction" in their info.

    config_type: heavy_N by the number of atoms but hydrogen (ANI-1x), or the place on the reaction's path. Only the
    structures that are given are in memory. Raises UqbenchError for a file of another layout.
    """
    try:
        import h5py
    except ImportError:
        raise UqbenchError("reading HDF5 files needs h5py: pip install 'uqbench[hdf5]'.") from None
    if layout == "ani1x" and selection.split is not None:
        raise UqbenchError("ANI-1x has no published split; leave out --split.")
    if not path.is_file():
        raise UqbenchError(f"{path}: no such file. Give the path of the publisher's HDF5 file.")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UqbenchError(f"{path}: cannot be read as HDF5: {error}. Download it again.") from error
    with file:
        _require_whole(file, path)
        yield from (_ani1x if layout == "ani1x" else _transition1x)(file, path, selection)


def _require_whole(file: Any, path: Path) -> None:
    """Raise UqbenchError for a file parts of which lie in other files, which nobody has named."""
    import h5py

    def look(name: str, link: Any) -> str | None:
        return name if isinstance(link, h5py.ExternalLink) else None

    if (name := file.visititems_links(look)) is not None:
        raise UqbenchError(f"{path}: {name} is a link to another file; get the file from its publisher.")


def _ani1x(file: Any, path: Path, selection: Selection) -> Iterator[Atoms]:
    from ase.units import Hartree

    for name, group in file.items():
        table = _Table(f"{path}, group {name}", group, "coordinates", "wb97x_dz.energy", "wb97x_dz.forces")
        numbers = table.numbers()
        if not selection.admits(numbers):
            continue
        kind = f"heavy_{int((numbers != 1).sum())}"
        for atoms in table.structures(numbers, selection.per_group, Hartree):
            atoms.info |= {"config_type": kind, "molecule": name}
            yield atoms


def _transition1x(file: Any, path: Path, selection: Selection) -> Iterator[Atoms]:
    split = selection.split or "data"
    if split not in file:
        raise UqbenchError(
            f"{path}: there is no group {split!r} (found: {', '.join(list(file)[:5])}); is it a file of Transition1x?"
        )
    labels = "positions", "wB97x_6-31G(d).energy", "wB97x_6-31G(d).forces"
    for formula, reactions in file[split].items():
        for name, group in reactions.items():
            where = f"{path}, group {split}/{formula}/{name}"
            numbers = _Table(where, group, *labels).numbers()
            if not selection.admits(numbers):
                continue
            parts = [("path", group), *((end, group[end]) for end in ENDS if end in group)]
            for kind, part in parts:
                for atoms in _Table(where, part, *labels).structures(numbers, selection.per_group, 1.0):
                    atoms.info |= {"config_type": kind, "reaction": name}
                    yield atoms


@dataclass(frozen=True)
class _Table:
    """Structures of the same atoms in a group; positions, energy, forces: names of its datasets."""

    where: str
    group: Any
    positions: str
    energy: str
    forces: str

    def numbers(self) -> NDArray[np.int64]:
        numbers = np.asarray(self._dataset("atomic_numbers"), dtype=np.int64)
        if numbers.ndim != 1 or not ((numbers > 0) & (numbers < 119)).all():
            raise UqbenchError(f"{self.where}: atomic_numbers is no list of atomic numbers.")
        return numbers

    def structures(self, numbers: NDArray[np.int64], most: int, unit: float) -> Iterator[Atoms]:
        """At most so many, evenly spaced among those with finite labels; unit: of energy, eV."""
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        energies = np.asarray(self._dataset(self.energy), dtype=np.float64).ravel()
        shape = (len(energies), len(numbers), 3)
        positions, forces = self._dataset(self.positions), self._dataset(self.forces)
        for name, found in ((self.positions, positions), (self.forces, forces)):
            if found.shape != shape:
                raise UqbenchError(f"{self.where}: {name} has shape {found.shape}; {shape} is needed.")
        usable = np.flatnonzero(np.isfinite(energies))
        for i in spaced(usable, most):
            place, pull = positions[i].astype(np.float64), forces[i].astype(np.float64)
            if not (np.isfinite(place).all() and np.isfinite(pull).all()):
                continue
            atoms = Atoms(numbers=numbers, positions=place)
            atoms.calc = SinglePointCalculator(atoms, energy=energies[i] * unit, forces=pull * unit)
            yield atoms

    def _dataset(self, name: str) -> Any:
        if name not in self.group:
            found = ", ".join(list(self.group)[:6])
            raise UqbenchError(
                f"{self.where}: there is no {name!r} (found: {found}); is the layout the right one?"
            )
        found = self.group[name]
        if getattr(found, "external", None) or getattr(found, "is_virtual", False):
            raise UqbenchError(f"{self.where}: {name} lies in another file; get the file from its publisher.")
        return found


def spaced(values: NDArray[np.int64], most: int) -> Sequence[int]:
    """At most so many of values (n,), evenly spaced, the ends among them."""
    if len(values) <= most:
        return values.tolist()
    return values[np.round(np.linspace(0, len(values) - 1, most)).astype(int)].tolist()
