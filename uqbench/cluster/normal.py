"""Normal equations of rows too many for one process: shares of them on several workers, added up as a tree.

Memory of a worker is that of a share being read, which is K P² numbers and one block of rows, and of few sums that wait
to be added, whatever the number of rows: a share is a range of blocks, never a block held until its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.api import KINDS, Kind, LinearProblem
from uqbench.errors import UqbenchError
from uqbench.linear.normal import NormalEquations, accumulate
from uqbench.linear.problem import BLOCK_BYTES

if TYPE_CHECKING:
    from distributed import Client

SHARES_PER_WORKER = 4
"""So that no worker is left with the last large one, and one that dies loses little."""
SUMS_HELD = 2 * SHARES_PER_WORKER
"""Sums of K P² numbers that a worker holds at most: those of its shares, and the temporaries of making one more."""


@dataclass(frozen=True)
class RowRange:
    """Rows from `first` up to `last` of a problem, opened where they are read: `problem()` gives them in blocks.

    open: a function that workers can import, called with first and last.
    """

    open: Callable[[int, int], LinearProblem]
    first: int
    last: int

    def sums(self) -> NormalEquations:
        """Their normal equations; one pass."""
        return accumulate(self.open(self.first, self.last))


def shares(open_rows: Callable[[int, int], LinearProblem], n_rows: int, workers: int) -> list[RowRange]:
    """Ranges of about equal size, SHARES_PER_WORKER for each worker, none empty."""
    ends = np.linspace(0, n_rows, min(n_rows, SHARES_PER_WORKER * workers) + 1).astype(int)
    return [RowRange(open_rows, int(a), int(b)) for a, b in pairwise(ends)]


def normal_equations(client: Client, parts: Sequence[RowRange]) -> NormalEquations:
    """What uqbench.linear.normal.accumulate gives of all parts together, to rounding.

    Raises UqbenchError if there are no parts, and what reading or accumulating them raises.
    """
    if not parts:
        raise UqbenchError("there are no rows to add up.")
    level: list[Any] = [client.submit(RowRange.sums, part, pure=False) for part in parts]
    while len(level) > 1:
        pairs = [
            client.submit(added, a, b, pure=False) for a, b in zip(level[::2], level[1::2], strict=False)
        ]
        level = pairs + level[2 * len(pairs) :]
    return level[0].result()


def added(one: NormalEquations, other: NormalEquations) -> NormalEquations:
    """Normal equations of the rows of both; kinds that one of them lacks count as no rows."""
    kinds: tuple[Kind, ...] = tuple(k for k in KINDS if k in one.kinds or k in other.kinds)
    p = len(one.column_scale)
    gram, moment = np.zeros((len(kinds), p, p)), np.zeros((len(kinds), p))
    square, count = np.zeros(len(kinds)), np.zeros(len(kinds))
    for part in (one, other):
        where = [kinds.index(k) for k in part.kinds]
        scale = part.column_scale
        for at, own in zip(where, part.gram, strict=True):
            gram[at] += own * scale * scale[:, None]
        moment[where] += part.moment * scale
        square[where] += part.square
        count[where] += part.count
    rms = np.sqrt(np.einsum("kpp->p", gram) / count.sum())
    scale = np.where(rms > 0.0, rms, 1.0)
    gram /= scale
    gram /= scale[:, None]
    return NormalEquations(kinds, gram, moment / scale, square, count, scale, one.device, one.weights)


def require_memory(memory_limit: int, n_features: int, n_kinds: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Bytes that a worker needs for rows of that many columns, beyond those of its libraries.

    block_bytes: of rows read at a time, which are copied once. Raises UqbenchError if they are above the limit.
    """
    needed = 8 * SUMS_HELD * n_kinds * n_features**2 + 2 * block_bytes
    if needed > memory_limit:
        raise UqbenchError(
            f"{n_features} columns and {n_kinds} kinds of label need {needed / 1e9:.2f} GB a worker; the limit is "
            f"{memory_limit / 1e9:.2f} GB. Raise it, or take fewer columns."
        )
    return needed
