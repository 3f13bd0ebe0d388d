"""What a structure and its labels must be to be used; errors name the frame, the field and the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.data.neighbours import nearest_distances
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

LARGEST_FORCE = 1e3
"""eV/Å; a larger force comes from overlapping atoms or a failed calculation."""

CLOSEST = 0.3
"""Å; dimer scans of hydrogen start above it."""


def check_structure(atoms: Atoms, source: str) -> None:
    """Raise UqbenchError unless positions and cell are finite, the cell has a volume, and no atoms overlap."""
    if len(atoms) == 0:
        raise UqbenchError(f"{source}: the structure has no atoms. Take the frame out.")
    if np.any(atoms.numbers <= 0):
        raise UqbenchError(
            f"{source}: atom {int(np.argmin(atoms.numbers))} is of no known element. Use chemical symbols."
        )
    for name, values in (("positions", atoms.positions), ("cell", atoms.cell.array)):
        if not np.isfinite(values).all():
            raise UqbenchError(f"{source}: {name} hold a number that is not finite. Take the frame out.")
    if atoms.pbc.any():
        lengths = np.linalg.norm(atoms.cell.array, axis=1)
        volume = abs(np.linalg.det(atoms.cell.complete().array))
        if np.any(lengths[atoms.pbc] < 1e-3) or volume < 1e-3:
            raise UqbenchError(
                f"{source}: the structure is periodic (pbc {' '.join('FT'[int(p)] for p in atoms.pbc)}) and "
                f"its cell has no volume (lengths {np.round(lengths, 4).tolist()} Å). "
                'Write the cell ("Lattice") or pbc="F F F".'
            )
    closest = nearest_distances(atoms, 1, CLOSEST)[:, 0]
    if closest.min() < CLOSEST:
        i = int(closest.argmin())
        raise UqbenchError(
            f"{source}: atoms overlap: atom {i} ({atoms.symbols[i]}) has a neighbour at {closest[i]:.3f} Å "
            f"(least allowed: {CLOSEST} Å). Check positions and cell (units are Å), or take the frame out."
        )


def read_label(
    kind: str, key: str, found: Mapping[str, object], shapes: Sequence[tuple[int, ...]], source: str
) -> Array | None:
    """The label stored under a key, float64, or None if it is not there.

    Raises UqbenchError if it is not made of finite real numbers, has none of the shapes, or is a force that
    no sound calculation gives.
    """
    if key not in found:
        return None
    try:
        value = np.asarray(found[key], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UqbenchError(
            f'{source}: {kind} ("{key}") is {str(found[key])[:40]!r}; numbers are needed.'
        ) from error
    if value.shape not in shapes:
        wanted = " or ".join(str(shape) for shape in shapes)
        raise UqbenchError(
            f'{source}: {kind} ("{key}") has shape {value.shape}; {wanted} is needed. Mend the frame.'
        )
    if not np.isfinite(value).all():
        bad = np.argwhere(~np.isfinite(np.atleast_1d(value)))[0]
        at = f" of atom {bad[0]}" if kind == "forces" else ""
        raise UqbenchError(
            f'{source}: {kind} ("{key}"){at} is {np.atleast_1d(value)[tuple(bad)]}; finite numbers are '
            "needed. The calculation failed: take the frame out."
        )
    if kind == "forces" and np.abs(value).max() > LARGEST_FORCE:
        atom = int(np.abs(value).max(axis=1).argmax())
        raise UqbenchError(
            f'{source}: forces ("{key}") reach {np.abs(value[atom]).max():.3g} eV/Å on atom {atom} '
            f"(largest allowed: {LARGEST_FORCE:g}). Atoms too close, a failed calculation or another unit: "
            "take the frame out or convert it."
        )
    return value
