"""A labelled structure and the kinds of label there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from uqbench.api.prediction import Array

if TYPE_CHECKING:
    from ase import Atoms

Kind: TypeAlias = Literal["energy", "forces", "stress"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UNITS: dict[Kind, str] = {"energy": "eV/atom", "forces": "eV/Å", "stress": "eV/Å³"}


@dataclass(frozen=True)
class Frame:
    """One structure with its labels; a label that is None is absent.

    atoms: geometry only (no calculator, no labels in info or arrays).
    energy: total energy, eV.
    forces: (n_atoms, 3), eV/Å.
    stress: (6,), Voigt order xx yy zz yz xz xy, eV/Å³, ASE's sign; only if periodic in three directions.
    config_type: the kind of structure.
    cluster: frames of one cluster (trajectory, symmetry copies, near-duplicates) are never split.
    free_forces: (n_atoms, 3) bool, False where site symmetry makes the component zero.
    free_stress: (6,) bool, False where the point group makes the component zero.
    source: "file, frame number", for messages.
    """

    atoms: Atoms
    energy: float | None
    forces: Array | None
    stress: Array | None
    config_type: str
    cluster: int
    free_forces: NDArray[np.bool_]
    free_stress: NDArray[np.bool_]
    source: str

    def labels(self, kind: Kind) -> Array | None:
        """Labels of a kind, flat and in the order and unit of Predictions; None if absent."""
        if kind == "energy":
            return None if self.energy is None else np.array([self.energy / len(self.atoms)])
        values = self.forces if kind == "forces" else self.stress
        return None if values is None else values.ravel()

    def free(self, kind: Kind) -> NDArray[np.bool_]:
        """Which of the labels of a kind symmetry leaves free, flat."""
        if kind == "energy":
            return np.ones(1, dtype=bool)
        return (self.free_forces if kind == "forces" else self.free_stress).ravel()


def size_of(kind: Kind, atoms: Atoms) -> int:
    """Number of observables of a kind that Predictions hold for a structure."""
    if kind == "energy":
        return 1
    if kind == "forces":
        return 3 * len(atoms)
    return 6 if bool(atoms.pbc.all()) else 0
