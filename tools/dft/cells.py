"""Crystals and what is cut from them: supercells, cells of low symmetry, defects, slabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from tools.dft.material import Lattice, Slab, Structure
from uqbench.api import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

COMPACT = 2.0
"""Largest ratio of the lengths of a cell's reduced vectors."""


def crystal(structure: Structure, symbol: str, lattice: Lattice, cell: str = "conventional") -> Atoms:
    """A crystal in its conventional (cubic, where it is) or primitive cell."""
    from ase import Atoms
    from ase.build import bulk

    a, c = lattice.a, lattice.c
    if structure in ("fcc", "bcc", "diamond"):
        return bulk(symbol, structure, a=a, cubic=cell == "conventional")
    if structure == "sc":
        return bulk(symbol, "sc", a=a)
    if c is None:
        raise UqbenchError(f"{structure} {symbol}: c is missing; give a and c of its lattice.")
    if structure == "hcp":
        return bulk(symbol, "hcp", a=a, c=c)
    if structure == "lonsdaleite":
        return Atoms(bulk(symbol * 2, "wurtzite", a=a, c=c))
    if structure == "simple_hexagonal":
        hexagonal = [[a, 0, 0], [-a / 2, a * 0.75**0.5, 0], [0, 0, c]]
        return Atoms([symbol], positions=[(0, 0, 0)], cell=hexagonal, pbc=True)
    # β-tin: diamond's lattice, squashed along z; tetragonal cell turned by 45° about it.
    sites = [(0, 0, 0), (0, 0.5, 0.25), (0.5, 0.5, 0.5), (0.5, 0, 0.75)]
    return Atoms([symbol] * 4, scaled_positions=sites, cell=[a, a, c], pbc=True)


def low_symmetry(primitive: Atoms, sites: int, rng: Generator) -> Atoms:
    """A supercell of the primitive cell with that many sites, drawn among the compact ones."""
    from ase.build import make_supercell
    from ase.geometry import minkowski_reduce

    if sites % len(primitive):
        raise UqbenchError(
            f"sites is {sites}; a multiple of {len(primitive)}, the primitive cell, is needed."
        )
    found = []
    for form in _hermite_forms(sites // len(primitive)):
        reduced, change = minkowski_reduce(form @ primitive.cell.array)
        lengths = np.linalg.norm(reduced, axis=1)
        if lengths.max() / lengths.min() <= COMPACT:
            found.append(change @ form)
    chosen = np.rint(found[rng.integers(len(found))]).astype(int)
    # make_supercell wants a right-handed cell.
    atoms = make_supercell(primitive, chosen * round(float(np.sign(np.linalg.det(chosen)))))
    atoms.wrap()
    return atoms


def _hermite_forms(determinant: int) -> list[Array]:
    """All upper triangular integer matrices (3, 3) that give different superlattices of that volume."""
    forms = []
    for i in range(1, determinant + 1):
        if determinant % i:
            continue
        for j in range(1, determinant // i + 1):
            if (determinant // i) % j:
                continue
            k = determinant // (i * j)
            forms += [
                np.array([[i, p, q], [0, j, r], [0, 0, k]])
                for p in range(j)
                for q in range(k)
                for r in range(k)
            ]
    return forms


def slab(structure: Structure, symbol: str, a: float, what: Slab) -> Atoms:
    """Layers with two surfaces, periodic across the vacuum; diamond's (111) with one dangling bond an atom."""
    from ase import Atoms, build

    make = getattr(build, f"{structure}{what.facet}")
    # ASE cuts diamond between the layers of a pair, through three bonds an atom; one layer on, it is one.
    lonely = 1 if structure == "diamond" and what.facet == "111" else 0
    atoms = make(symbol, size=(*what.size, what.layers + 2 * lonely), a=a)
    heights = np.unique(atoms.positions[:, 2].round(4))
    inside = np.isin(atoms.positions[:, 2].round(4), heights[lonely : len(heights) - lonely])
    atoms = atoms[inside]
    atoms.center(vacuum=what.vacuum / 2, axis=2)
    return Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=True)


def shells_moved(atoms: Atoms, centre: Array, largest: float, rng: Generator, shells: int = 3) -> Atoms:
    """The neighbour shells of a place moved radially, the n-th by up to largest / n (Å); site symmetry is kept."""
    moved = atoms.copy()
    inverse = np.linalg.inv(atoms.cell.array)
    away = (atoms.positions - centre) @ inverse
    away -= np.round(away)
    # An atom half a cell away has its place between two images of the centre: there it stays.
    fixed = np.abs(np.abs(away) - 0.5).min(axis=1) < 1e-6
    vectors = away @ atoms.cell.array
    distances = np.linalg.norm(vectors, axis=1).round(3)
    for n, distance in enumerate(sorted(set(distances.tolist()))[:shells], start=1):
        amount = rng.uniform(-largest, largest) / n
        here = (distances == distance) & ~fixed
        moved.positions[here] += amount * vectors[here] / distance
    return moved


def deformed(atoms: Atoms, deformation: Array) -> Atoms:
    """A copy whose cell vectors are F · a, fractional coordinates kept. deformation: F (3, 3)."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ deformation.T, scale_atoms=True)
    return copy


def scaled(atoms: Atoms, scale: float) -> Atoms:
    """A copy with all lengths scaled."""
    return deformed(atoms, scale * np.eye(3))
