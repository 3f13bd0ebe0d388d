"""Frames that follow each other on a trajectory, and that nothing keeps together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.data.read import RawFrame

if TYPE_CHECKING:
    from ase import Atoms

NEAR = 0.3
"""Å; largest displacement of an atom, or change of a cell vector, from one frame of a trajectory to the next."""

MOVES_ON = 1.5
"""Mean square of two steps together over that of one: 1 where each frame is displaced anew from one structure, 2 for a
random walk, 4 for a straight path."""

ENOUGH = 50
"""Coordinates that must have made two steps, for that ratio to be told from chance."""

STILL = 1e-3
"""Å; rms step below which nothing but the cell changes, as in a scan of the volume."""


def trajectory_warnings(
    raw: Sequence[RawFrame], clusters: Sequence[int], labels: Sequence[Hashable | None]
) -> list[str]:
    """One line, or none, on consecutive frames of a file that look like neighbours in time and are different clusters.

    clusters, labels: (n,) of the frames; two frames with labels are apart because somebody said so. A few frames of few
    atoms cannot be told from displacements drawn anew: nothing is said.
    """
    pairs = [
        (raw[i], raw[j])
        for run in _runs(raw)
        if _moves_on(raw, run)
        for i, j in pairwise(run)
        if clusters[i] != clusters[j] and None in (labels[i], labels[j])
    ]
    if not pairs:
        return []
    before, after = pairs[0]
    return [
        f"{len(pairs)} pairs of consecutive frames look like neighbours on a trajectory (no atom moves by more than "
        f"{NEAR:g} Å; the first: {before.source}, and {after.source}) and are in different clusters, so they may test "
        "each other: --cluster-key, or cluster_by in a card, keeps trajectories together."
    ]


def displacements(before: Atoms, after: Atoms) -> Array:
    """(n_atoms, 3) steps in Å to the nearest images of the same atoms, without the strain of the cell."""
    if not before.pbc.any():
        return after.positions - before.positions
    old, new = (atoms.cell.complete().array for atoms in (before, after))
    steps = after.positions @ np.linalg.inv(new) - before.positions @ np.linalg.inv(old)
    return (steps - np.round(steps) * before.pbc) @ old


def _runs(raw: Sequence[RawFrame]) -> Iterator[list[int]]:
    """Indices of frames in a row, each a small step from the one before."""
    run: list[int] = []
    for i in range(len(raw)):
        if run and not _near(raw[i - 1], raw[i]):
            yield run
            run = []
        run.append(i)
    yield run


def _near(before: RawFrame, after: RawFrame) -> bool:
    a, b = before.atoms, after.atoms
    return (
        before.file == after.file
        and np.array_equal(a.numbers, b.numbers)
        and np.array_equal(a.pbc, b.pbc)
        and np.abs(b.cell.array - a.cell.array).max() <= NEAR
        and np.linalg.norm(displacements(a, b), axis=1).max() <= NEAR
    )


def _moves_on(raw: Sequence[RawFrame], run: Sequence[int]) -> bool:
    if not run or (len(run) - 2) * 3 * len(raw[run[0]].atoms) < ENOUGH:
        return False
    steps = np.stack([displacements(raw[i].atoms, raw[j].atoms) for i, j in pairwise(run)])
    one, two = np.mean(steps**2), np.mean((steps[1:] + steps[:-1]) ** 2)
    return bool(one > STILL**2 and two > MOVES_ON * one)
