"""Per-species reference energies, taken off before any fit so that no prior sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Frame

if TYPE_CHECKING:
    from ase import Atoms


def composition(atoms: Atoms) -> dict[str, float]:
    """Share of each element among the atoms."""
    names, counts = np.unique(atoms.get_chemical_symbols(), return_counts=True)
    return {str(name): float(n) / len(atoms) for name, n in zip(names, counts, strict=True)}


def fit_references(frames: Sequence[Frame], elements: Sequence[str]) -> dict[str, float]:
    """Energies (eV) of the elements that best explain the energies per atom; the least-norm ones if several do.

    Frames without an energy are passed over; with none at all every reference is zero.
    """
    labelled = [f for f in frames if f.energy is not None]
    if not labelled:
        return dict.fromkeys(elements, 0.0)
    shares = np.array([[composition(f.atoms).get(s, 0.0) for s in elements] for f in labelled])
    energies = np.array([f.energy / len(f.atoms) for f in labelled if f.energy is not None])
    solution = np.linalg.lstsq(shares, energies, rcond=None)[0]
    return {s: float(e) for s, e in zip(elements, solution, strict=True)}


def reference_energy(atoms: Atoms, references: Mapping[str, float]) -> float:
    """Reference energy per atom of a structure, eV."""
    return sum(x * references[s] for s, x in composition(atoms).items())
