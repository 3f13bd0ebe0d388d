"""A regression on some of the rows of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Kind, LinearProblem, RowBlock


def select_rows(problem: LinearProblem, keep: NDArray[np.bool_]) -> LinearProblem:
    """The problem with the rows where keep (n,), in the order of the blocks, is True; its clusters stay listed.

    One pass over the rows, to count those of each kind.
    """

    def read() -> Iterator[RowBlock]:
        start = 0
        for block in problem.blocks():
            mine = keep[start : start + len(block.labels)]
            start += len(block.labels)
            if mine.any():
                yield RowBlock(
                    block.rows[mine],
                    block.labels[mine],
                    block.kind[mine],
                    block.atom[mine],
                    block.structure[mine],
                    block.cluster[mine],
                )

    count = sum((np.bincount(b.kind, minlength=len(KINDS)) for b in read()), np.zeros(len(KINDS), dtype=int))
    counts: dict[Kind, int] = {k: int(n) for k, n in zip(KINDS, count, strict=True) if n}
    return replace(problem, counts=counts, read=read)
