"""Tables of energy, forces and Hessian that are linear in the coefficients, by central differences of rows.

Force constants know the space group: H_p(g i, g k) = R H_p(i, k) Rᵀ for an operation g with rotation R, so only
atoms that no operation takes onto each other are moved, and in as few directions as their site's own operations
turn into all. A vacancy cell of 255 atoms takes 49 evaluations instead of 1,525.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, LinearBackbone
from uqbench.properties.coordinates import Coordinates
from uqbench.properties.relax import DISPLACEMENT
from uqbench.symmetry import operations

if TYPE_CHECKING:
    from ase import Atoms

DIRECTIONS = np.array([d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0)], dtype=np.float64)
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1)[:, None]
"""(13, 3): in which an atom is moved."""

Tables = tuple[Array, Array, Array]
"""Rows of the total energy (P,), eV, of the forces (M, P), eV/Å, and of the Hessian (P, M, M), eV/Å²."""


def tables(backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates) -> Tables:
    """At q = 0, in whichever way takes fewer evaluations of the rows."""
    moves = irreducible_moves(coordinates.atoms) if coordinates.atoms.pbc.all() else None
    n_atoms, (n_shifts, size) = len(coordinates.atoms), coordinates.basis.shape
    if moves is None or moves.count + n_shifts - 3 * n_atoms >= size:
        return along_basis(backbone, elements, coordinates)
    return by_symmetry(backbone, elements, coordinates, moves)


def along_basis(backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates) -> Tables:
    """By moving along each of the M columns of the basis: 2M + 1 evaluations."""
    size = coordinates.basis.shape[1]
    energy, pull, slopes = rest_and_slopes(backbone, elements, coordinates, coordinates.basis.T)
    table = np.empty((len(energy), size, size))
    for k, slope in enumerate(slopes):
        table[:, k] = -(coordinates.basis.T @ slope).T
    _symmetrise(table)
    return energy, coordinates.basis.T @ pull, table


def by_symmetry(
    backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates, moves: Moves
) -> Tables:
    """By moving irreducible atoms, and straining the cell where it moves: 2 · moves.count (+ 12) + 1 evaluations."""
    n = len(coordinates.atoms)
    n_shifts, size = coordinates.basis.shape
    shifts = np.concatenate([moves.shifts(n_shifts), np.eye(n_shifts)[3 * n :]])
    energy, pull, slopes = rest_and_slopes(backbone, elements, coordinates, shifts)
    full = np.empty((len(energy), n_shifts, n_shifts))
    for atom, directions in zip(moves.atoms, moves.directions, strict=True):
        # (3, 3N, P) responses to moving this atom along its own directions, then along x, y and z.
        along = np.array([-next(slopes)[: 3 * n] for _ in directions])
        _spread(full, moves, atom, _along_axes(moves, atom, directions, along))
    for k in range(3 * n, n_shifts):
        full[:, k] = -next(slopes).T
        full[:, : 3 * n, k] = full[:, k, : 3 * n]
    _symmetrise(full)
    table = np.empty((len(energy), size, size))
    for projected, hessian in zip(table, full, strict=True):
        projected[:] = coordinates.basis.T @ hessian @ coordinates.basis
    return energy, coordinates.basis.T @ pull, table


@dataclass(frozen=True)
class Moves:
    """cartesian: (G, 3, 3) and images: (G, N), the operations. atoms: irreducible ones; directions: (k, 3) for each."""

    cartesian: Array
    images: NDArray[np.intp]
    atoms: tuple[int, ...]
    directions: tuple[Array, ...]

    @property
    def count(self) -> int:
        """How many directions in all."""
        return sum(map(len, self.directions))

    def shifts(self, n_shifts: int) -> Array:
        """(count, n_shifts) the moves one by one."""
        found = np.zeros((self.count, n_shifts))
        owner = np.repeat(self.atoms, [len(d) for d in self.directions])
        found[np.arange(self.count)[:, None], 3 * owner[:, None] + np.arange(3)] = np.concatenate(
            self.directions
        )
        return found


def irreducible_moves(atoms: Atoms) -> Moves | None:
    """Moves whose images under the space group are all moves of all atoms; None if no symmetry is found."""
    group = operations(atoms)
    if group is None:
        return None
    images = group.images(atoms)
    irreducible = np.flatnonzero(images.min(axis=0) == np.arange(len(atoms)))
    directions = tuple(_directions(group.cartesian[images[:, i] == i]) for i in irreducible)
    return Moves(group.cartesian, images, tuple(map(int, irreducible)), directions)


def _directions(site: Array) -> Array:
    """(k, 3) fewest of DIRECTIONS that the rotations (s, 3, 3) of a site turn into three well-separated ones."""
    chosen: list[Array] = []
    spanned = np.zeros((3, 3))
    while np.linalg.eigvalsh(spanned)[0] < 1e-3:
        turned = [site @ direction for direction in DIRECTIONS]
        grams = [spanned + vectors.T @ vectors / len(site) for vectors in turned]
        # The most new dimensions, and of these the best separated.
        quality = [(np.sum(v > 1e-3), v[v > 1e-3].min()) for v in np.linalg.eigvalsh(grams)]
        best = max(range(len(DIRECTIONS)), key=lambda i: quality[i])
        chosen.append(DIRECTIONS[best])
        spanned = grams[best]
    return np.array(chosen)


def rest_and_slopes(
    backbone: LinearBackbone, elements: tuple[str, ...], coordinates: Coordinates, shifts: Array
) -> tuple[Array, Array, Iterator[Array]]:
    """Row of the energy (P,), pulls (L, P), and the slopes (L, P) of the pulls along each of shifts (k, L) in turn.

    Central differences: two evaluations a shift.
    """
    ends = [sign * DISPLACEMENT * shift for shift in shifts for sign in (1.0, -1.0)]
    rows = backbone.rows([coordinates.atoms, *map(coordinates.moved, ends)], elements)
    first = next(rows)

    def slopes() -> Iterator[Array]:
        for plus, minus in zip(ends[::2], ends[1::2], strict=True):
            difference = coordinates.pulls(plus, next(rows)) - coordinates.pulls(minus, next(rows))
            yield difference / (2 * DISPLACEMENT)

    at_rest = coordinates.pulls(np.zeros(len(coordinates.basis)), first)
    return len(coordinates.atoms) * first[0], at_rest, slopes()


def _along_axes(moves: Moves, atom: int, directions: Array, along: Array) -> Array:
    """(P, 3, N, 3) responses of all atoms to moving one along x, y, z, from those along its directions (k, 3N, P)."""
    site = np.flatnonzero(moves.images[:, atom] == atom)
    turned = np.einsum("gab,kb->gka", moves.cartesian[site], directions)
    to_axes = np.linalg.pinv(turned.reshape(-1, 3)).reshape(3, len(site), len(directions))
    k, n_components, n_features = along.shape
    by_atom = along.reshape(k, n_components // 3, 3, n_features)
    found = np.zeros((n_features, 3, n_components // 3, 3))
    for number, g in enumerate(site):
        combined = np.einsum("xk,kncp->pxnc", to_axes[:, number], by_atom, optimize=True)
        found[:, :, moves.images[g]] += combined @ moves.cartesian[g].T
    return found


def _spread(full: Array, moves: Moves, atom: int, responses: Array) -> None:
    """Fill the rows of a table (P, L, L) that belong to an atom's images, by turning its responses (P, 3, N, 3)."""
    n_features, _, n, _ = responses.shape
    targets, operations_to = np.unique(moves.images[:, atom], return_index=True)
    for target, g in zip(targets, operations_to, strict=True):
        turn = moves.cartesian[g]
        turned = np.empty_like(responses)
        turned[:, :, moves.images[g]] = (responses.reshape(-1, 3) @ turn.T).reshape(responses.shape)
        full[:, 3 * target : 3 * target + 3, : 3 * n] = turn @ turned.reshape(n_features, 3, 3 * n)


def _symmetrise(table: Array) -> None:
    """Each of a table's matrices by the mean with its transpose, in place: tables are large."""
    for matrix in table:
        matrix += matrix.T.copy()
        matrix *= 0.5
