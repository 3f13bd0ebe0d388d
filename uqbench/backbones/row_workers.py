"""Rows of many structures, computed in order by worker processes, a few chunks in memory at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from uqbench.api.backbone import LinearBackbone
from uqbench.api.prediction import Array
from uqbench.errors import UqbenchError
from uqbench.processes import end_with_parent

if TYPE_CHECKING:
    from ase import Atoms

CHUNK_BYTES = 8_000_000
"""Rows that one task of a worker gives back; large enough that starting a calculator is not felt."""
CHUNKS_PER_WORKER = 8
"""At least so many where structures allow, so that no worker is left with the last big one."""

Chunk: TypeAlias = list[tuple[Array, float]]


def computed_rows(
    backbone: LinearBackbone,
    structures: Sequence[Atoms],
    elements: tuple[str, ...],
    workers: int,
    first: int = 0,
) -> Iterator[tuple[Array, float]]:
    """Rows of each structure in order, and the CPU seconds they took. first: number of the first one, for errors.

    Raises UqbenchError naming the structure by its number where the backbone fails, gives rows of the wrong
    shape or numbers that are not finite, and where a worker dies.
    """
    ranges = _ranges(structures, backbone.n_features(elements), workers)
    if workers == 1 or len(ranges) < 2:
        for start, stop in ranges:
            yield from _compute(backbone, structures[start:stop], elements, first + start)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=end_with_parent)
    waiting: deque[Future[Chunk]] = deque()
    left, done = iter(ranges), first
    try:
        while True:
            for start, stop in islice(left, 2 * workers - len(waiting)):
                part = structures[start:stop]
                waiting.append(pool.submit(_compute, backbone, part, elements, first + start))
            if not waiting:
                return
            chunk = waiting.popleft().result()
            yield from chunk
            done += len(chunk)
    except BrokenProcessPool as error:
        raise UqbenchError(
            f"A worker process died at structure {done} or soon after, perhaps for want of memory. "
            "Use fewer workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _ranges(structures: Sequence[Atoms], n_features: int, workers: int) -> list[tuple[int, int]]:
    """Cut the structures into consecutive chunks of about equal size."""
    if not len(structures):
        return []
    sizes = np.array([_n_rows(atoms) for atoms in structures]) * 8 * n_features
    target = min(CHUNK_BYTES, sizes.sum() / (CHUNKS_PER_WORKER * workers))
    chunk = (np.cumsum(sizes) - sizes) // target
    starts = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist()]
    return list(zip(starts, [*starts[1:], len(structures)], strict=True))


def _n_rows(atoms: Atoms) -> int:
    return 1 + 3 * len(atoms) + (6 if atoms.pbc.all() else 0)


def _compute(
    backbone: LinearBackbone, structures: Sequence[Atoms], elements: tuple[str, ...], start: int
) -> Chunk:
    results: Chunk = []
    begin = time.process_time()
    try:
        for rows in backbone.rows(structures, elements):
            atoms = structures[len(results)]
            expected = (_n_rows(atoms), backbone.n_features(elements))
            if rows.shape != expected or rows.dtype != np.float64:
                raise UqbenchError(f"rows are {rows.dtype} {rows.shape}; float64 {expected} is needed.")
            if not np.isfinite(rows).all():
                raise UqbenchError("rows are not all finite; look for atoms on top of each other.")
            end = time.process_time()
            results.append((rows, end - begin))
            begin = end
        if len(results) != len(structures):
            raise UqbenchError("no rows came for it.")
    except Exception as error:
        name = type(backbone).__name__
        reason = str(error) if isinstance(error, UqbenchError) else f"{type(error).__name__}: {error}"
        raise UqbenchError(f"{name}, structure {start + len(results)}: {reason}") from error
    return results
