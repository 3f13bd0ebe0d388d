"""Large regression problems on disk, and what it takes to measure a fit of them fairly."""

import mmap
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from uqbench.api import KINDS, Array, Kind, LinearMethod, LinearProblem, RowBlock
from uqbench.cost.memory import peak_resident_bytes
from uqbench.cost.timing import Elapsed, interleaved, stopwatch
from uqbench.linear.problem import BLOCK_BYTES

PAGE_OF_ROWS = 512
"""Rows of any number of float64 columns that begin and end with a page of memory."""
STRUCTURE = 50
"""Rows of a structure, which is a cluster of its own."""


@dataclass(frozen=True)
class RowFile:
    """n rows of P standard normal columns and labels that P coefficients reach only in part, float64 on disk."""

    path: Path
    n: int
    p: int

    @classmethod
    def written(cls, path: Path, n: int, p: int, seed: int = 0) -> "RowFile":
        rng = np.random.default_rng(seed)
        theta, labels = rng.standard_normal(p), np.empty(n)
        with path.open("wb") as file:
            for start in range(0, n, 8 * PAGE_OF_ROWS):
                rows = rng.standard_normal((min(8 * PAGE_OF_ROWS, n - start), p))
                labels[start : start + len(rows)] = rows @ theta + 0.3 * np.sin(3.0 * rows[:, 0])
                file.write(rows.data)
        labels.tofile(path.with_suffix(".labels"))
        return cls(path, n, p)

    def dense(self) -> "Table":
        """All of it in memory."""
        return Table(np.fromfile(self.path).reshape(self.n, self.p), self._labels())

    def mapped(self) -> "Table":
        """Mapped to memory: pages that were read are handed back, else they count as this process's own."""
        with self.path.open("rb") as file:
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        rows = np.frombuffer(pages).reshape(self.n, self.p)
        return Table(rows, self._labels(), lambda a, b: pages.madvise(mmap.MADV_DONTNEED, a, b - a))

    def _labels(self) -> Array:
        return np.fromfile(self.path.with_suffix(".labels"))


@dataclass(frozen=True)
class Table:
    """Rows (n, P) and labels (n,). release: called with the first and last byte of rows that are done with."""

    rows: Array
    labels: Array
    release: Callable[[int, int], None] = field(default=lambda first, last: None)

    def problem(self, n_kinds: int = 1) -> LinearProblem:
        """In blocks as the suite's own: force components, or of every structure the first row an energy."""
        n, p = self.rows.shape
        size = max(PAGE_OF_ROWS, BLOCK_BYTES // (8 * p) // PAGE_OF_ROWS * PAGE_OF_ROWS)
        structure = (np.arange(n) // STRUCTURE).astype(np.int32)
        energies = np.arange(0, n, STRUCTURE) if n_kinds == 2 else np.arange(0)

        def read():
            for start in range(0, n, size):
                stop = min(start + size, n)
                rows, labels, owner = self.rows[start:stop], self.labels[start:stop], structure[start:stop]
                kind = np.full(stop - start, KINDS.index("forces"), dtype=np.int8)
                if n_kinds == 2:
                    order, n_energies = _energies_first(start, stop)
                    rows, labels, owner = rows[order], labels[order], owner[order]
                    kind[:n_energies] = KINDS.index("energy")
                yield RowBlock(rows, labels, kind, np.zeros(len(kind), dtype=np.int32), owner, owner)
                self.release(8 * p * start, 8 * p * stop)

        counts: dict[Kind, int] = {"energy": len(energies)} if n_kinds == 2 else {}
        counts["forces"] = n - len(energies)
        return LinearProblem(p, counts, dict.fromkeys(KINDS, 1.0), np.unique(structure), read)


def _energies_first(start: int, stop: int) -> tuple[NDArray[np.int64], int]:
    energy = np.arange(start, stop) % STRUCTURE == 0
    return np.argsort(~energy, kind="stable"), int(energy.sum())


def fit(method: LinearMethod, table: Table, predicted: int = 0) -> None:
    """Fit, and predict as many of the rows."""
    posterior = method.fit(table.problem(), np.random.default_rng(0))
    if predicted:
        posterior.predict_rows(np.array(table.rows[:predicted]), "forces")


def peak_above_input(
    work: Callable[[Table], object], source: RowFile, small: RowFile, mapped: bool = False
) -> int:
    """Bytes that work on a table takes at its peak beyond the process and the table, in a process of its own.

    work runs on the small table first, so that imports are not counted. Nothing of a mapped table is in memory
    to begin with, so what is held of it counts.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak_above_input, work, source, small, mapped).result()


def _peak_above_input(work: Callable[[Table], object], source: RowFile, small: RowFile, mapped: bool) -> int:
    work(small.dense())
    table = source.mapped() if mapped else source.dense()
    before = psutil.Process().memory_info().rss
    work(table)
    return peak_resident_bytes() - before


@dataclass(frozen=True)
class MachineRates:
    """Multiplications and additions a second of processor time, of products that have all that they could wish for."""

    gemm: float
    syrk: float

    @classmethod
    def measured(cls) -> "MachineRates":
        """Median of five of 4096 × 1024 rows."""
        rows = np.random.default_rng(0).standard_normal((4096, 1024))
        square, gram = rows[:1024].copy(), np.zeros((1024, 1024), order="F")
        work = rows.size * 1024
        both = interleaved({"syrk": lambda: _add_gram(rows, gram), "gemm": lambda: rows @ square}, 5, 60.0)
        return cls(2 * work / both["gemm"].cpu_median, work / both["syrk"].cpu_median)

    def floor_of_fit(self, n: int, p: int) -> float:
        """Processor seconds for two Gram matrices, a triangular product (whitening) and a square one (projection)."""
        return 2 * n * p**2 / self.syrk + (n * p**2 + 2 * n * p**2) / self.gemm


def gram_pass(table: Table) -> None:
    """One pass of symmetric rank-k updates over the blocks, as fast as BLAS goes, and no more."""
    problem = table.problem()
    gram = np.zeros((problem.n_features, problem.n_features), order="F")
    for block in problem.blocks():
        _add_gram(block.rows, gram)


def _add_gram(rows: Array, gram: Array) -> None:
    """A triangle of rowsᵀ rows added to that of gram, in Fortran's order."""
    from scipy.linalg import blas

    blas.dsyrk(1.0, rows.T, 1.0, gram, overwrite_c=1)  # pyright: ignore[reportAttributeAccessIssue]


def timed_beside(
    benchmark, action: Callable[[], object], beside: Callable[[], object], rounds: int, name: str
) -> None:
    """Benchmark an action, with another one run before each round, so that drift hits both alike.

    Processor time too, cpu_s: on a machine that others use it is the fairer one, if BLAS has one thread.
    """
    ours: list[Elapsed] = []
    theirs: list[Elapsed] = []
    warmups = int(rounds > 1)
    benchmark.pedantic(
        lambda: _timed(action, ours),
        setup=lambda: _timed(beside, theirs),
        rounds=rounds,
        warmup_rounds=warmups,
    )
    ours, theirs = ours[warmups:], theirs[warmups:]
    wall, cpu = (float(np.median([getattr(e, unit) for e in theirs])) for unit in ("wall", "cpu"))
    own = float(np.median([e.cpu for e in ours]))
    benchmark.extra_info |= {
        "cpu_s": own,
        f"{name}_s": wall,
        f"{name}_cpu_s": cpu,
        f"time_over_{name}": benchmark.stats.stats.median / wall,
        f"cpu_time_over_{name}": own / cpu,
    }


def _timed(action: Callable[[], object], into: list[Elapsed]) -> None:
    with stopwatch() as elapsed:
        action()
    into.append(elapsed)
