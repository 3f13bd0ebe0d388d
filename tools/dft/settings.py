"""What decides the energy surface: cutoff, mesh and smearing of a material; groups may have a mesh of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from ase import Atoms

Mesh = tuple[int, int, int]
Positive = Annotated[float, Field(gt=0)]
VACUUM = 7.0
"""Å; a gap along the third axis from which one point is enough there."""


class Settings(BaseModel):
    """Settings of pw.x, all norm-conserving, without spin.

    cutoff: of the waves, Ry; the density has four times it. spacing: of the mesh, 1/Å with the factor 2π.
    shift: 1 moves the mesh half a step off Γ. width: of the cold smearing, Ry. bands: over half the electrons, as
    a share. threshold: where a calculation counts as self-consistent, Ry per atom.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cutoff: Positive
    spacing: Positive
    shift: Literal[0, 1]
    width: Positive
    bands: Annotated[float, Field(ge=1)]
    threshold: Positive


def mesh_of(atoms: Atoms, spacing: float) -> Mesh:
    """Fewest points whose distance along each reciprocal axis is no more than the spacing; one across vacuum."""
    reciprocal = 2 * np.pi * np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    along_x, along_y, along_z = np.maximum(1, np.ceil(reciprocal / spacing - 1e-6)).astype(int).tolist()
    return (along_x, along_y, 1 if has_vacuum(atoms) else along_z)


def has_vacuum(atoms: Atoms) -> bool:
    """Is there a gap of more than VACUUM along the third axis?"""
    heights = np.sort(atoms.get_scaled_positions()[:, 2])
    gap = np.diff(np.append(heights, heights[0] + 1.0)).max()
    return bool(gap * abs(atoms.get_volume() / np.linalg.norm(np.cross(*atoms.cell.array[:2]))) > VACUUM)


def denser(mesh: Mesh, more: int) -> Mesh:
    """A mesh with that many points more along each axis that has more than one."""
    along_x, along_y, along_z = (n + more if n > 1 else 1 for n in mesh)
    return (along_x, along_y, along_z)
