"""How long a run would take on many workers, from what its pieces took: python -m uqbench.cluster.schedule TIMES.

List scheduling (Graham, SIAM J. Appl. Math. 17, 416 (1969)): whoever is free takes the next piece that can begin. It is
at most twice as long as the best schedule; the ideal is the greater of the longest chain and an even share of the work.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from uqbench.cluster.crew import Taken
from uqbench.errors import UqbenchError

STAGES = ("part", "prepare", "fit")


@dataclass(frozen=True)
class Schedule:
    """makespan: s until the last piece ends. ideal: s, which no schedule can beat. work: s of all pieces together."""

    workers: int
    makespan: float
    ideal: float
    work: float

    @property
    def efficiency(self) -> float:
        """Share of the workers' time that is work."""
        return self.work / (self.makespan * self.workers)


def list_schedule(pieces: Sequence[Taken], workers: int) -> Schedule:
    """The schedule of pieces of work in their order where they can begin: parts, what is made of them, then fits.

    What prepares something comes before fits that are ready, for others wait for it. Raises UqbenchError if there is
    nothing to schedule or nobody to do it.
    """
    if workers < 1 or not pieces:
        raise UqbenchError(
            f"{len(pieces)} pieces of work and {workers} workers: at least one of each is needed."
        )
    waiting = _stages(pieces)
    longest = max(sum(max(p.seconds for p in stage) for stage in stages) for stages in waiting)
    unfinished = [0] * len(waiting)
    ready: list[tuple[bool, int, float, int]] = []
    running: list[tuple[float, int]] = []
    counter = itertools.count()

    def release(chain: int) -> None:
        """The next stage of a chain."""
        if waiting[chain]:
            stage = waiting[chain].pop(0)
            unfinished[chain] = len(stage)
            for piece in stage:
                heapq.heappush(ready, (piece.kind == "fit", next(counter), piece.seconds, chain))

    for chain in range(len(waiting)):
        release(chain)
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            *_, seconds, chain = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds, chain))
        now, chain = heapq.heappop(running)
        unfinished[chain] -= 1
        if not unfinished[chain]:
            release(chain)
    work = sum(piece.seconds for piece in pieces)
    return Schedule(workers, now, max(work / workers, longest), work)


def _stages(pieces: Sequence[Taken]) -> list[list[list[Taken]]]:
    """Chains by what is needed, in the order of their first pieces; a stage of one waits for the stage before it."""
    chains: dict[str, dict[str, list[Taken]]] = {}
    for piece in pieces:
        chains.setdefault(piece.needs, {}).setdefault(piece.kind, []).append(piece)
    return [[stages[kind] for kind in STAGES if kind in stages] for stages in chains.values()]


def read_times(path: Path) -> list[Taken]:
    """Pieces of work of a run with --jobs or --scheduler; raises UqbenchError for a file that is no such list."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [Taken(**(row | {"seconds": float(row["seconds"])})) for row in rows]  # pyright: ignore[reportArgumentType]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        names = ", ".join(f.name for f in fields(Taken))
        raise UqbenchError(f"{path}: not a list of times ({error}); its columns are {names}.") from None


def main() -> None:
    """Print the schedule of a run's pieces on 1, 2, 4 … workers, each copied as often as asked for."""
    parser = argparse.ArgumentParser(prog="python -m uqbench.cluster.schedule", description=__doc__)
    parser.add_argument("times", type=Path, help="times.csv of a folder of results")
    parser.add_argument("--workers", type=int, default=64, help="most workers (default: 64)")
    parser.add_argument(
        "--copies", type=int, default=1, help="as if the plan had so many times the pieces (default: 1)"
    )
    options = parser.parse_args()
    pieces = [
        Taken(p.kind, p.label, f"{p.needs}#{copy}", p.seconds)
        for copy in range(options.copies)
        for p in read_times(options.times)
    ]
    print("workers  makespan (s)  ideal (s)  makespan / ideal  busy")
    workers = 1
    while workers <= options.workers:
        found = list_schedule(pieces, workers)
        ratio = found.makespan / found.ideal
        print(
            f"{workers:7d}  {found.makespan:12.1f}  {found.ideal:9.1f}  {ratio:16.3f}  {found.efficiency:4.0%}"
        )
        workers *= 2


if __name__ == "__main__":
    main()
