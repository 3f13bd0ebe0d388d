"""Calculations behind a folder of records: what is there is not computed again."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Semaphore
from typing import Protocol

from tools.dft.calculation import Calculation
from tools.dft.pwscf_output import CalculationFailed
from tools.dft.record import Record, failure_of, read_record, write_record
from uqbench.errors import UqbenchError


class Engine(Protocol):
    """What labels structures."""

    @property
    def name(self) -> str:
        """Program and version."""
        ...

    def compute(self, calculation: Calculation) -> Record:
        """Raises CalculationFailed."""
        ...


class OutOfTime(Exception):
    """The time given is over; what is finished is kept."""


@dataclass(frozen=True)
class Laboratory:
    """records: folder. cores: calculations at a time, each on one core, whichever threads ask for them. deadline: on
    time.monotonic, after which nothing is started. say: where a line for every finished calculation goes.
    """

    records: Path
    engine: Engine
    cores: int
    deadline: float = float("inf")
    say: Callable[[str], None] = print
    _free: Semaphore = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_free", Semaphore(self.cores))

    def all(self, calculations: Sequence[Calculation]) -> list[Record]:
        """Their records in the same order, failed ones too. Raises OutOfTime, and UqbenchError as one does."""
        with ThreadPoolExecutor(self.cores) as pool:
            return list(pool.map(self._one, calculations))

    def good(self, calculations: Sequence[Calculation]) -> list[Record]:
        """As all. Raises UqbenchError if one failed: a property cannot be had without it."""
        found = self.all(calculations)
        for record in found:
            if record.status == "failed":
                raise UqbenchError(
                    f"{self._path(record.name)}: {record.error} Remove the record to have it tried again."
                )
        return found

    def one(self, calculation: Calculation) -> Record:
        """As good, of one."""
        return self.good([calculation])[0]

    def _one(self, calculation: Calculation) -> Record:
        stored = read_record(self._path(calculation.name))
        if stored is not None:
            if stored.inputs != calculation.inputs:
                raise UqbenchError(
                    f"{self._path(calculation.name)}: this record is of other inputs ({stored.inputs[:12]}, now "
                    f"{calculation.inputs[:12]}): the material's file or the code has changed since. Take another "
                    "folder, or remove the record to have it computed again."
                )
            return stored
        with self._free:
            if time.monotonic() > self.deadline:
                raise OutOfTime
            try:
                record = self.engine.compute(calculation)
            except CalculationFailed as error:
                record = failure_of(calculation, self.engine.name, error)
        write_record(self._path(calculation.name), record)
        self.say(_line(record))
        return record

    def _path(self, name: str) -> Path:
        return self.records / f"{name}.json"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else works in the folder meanwhile. Raises UqbenchError if somebody does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            # Released by the system, however this process ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UqbenchError(f"{folder}: another run is at work here; wait for it or stop it.") from error
        yield


def _line(record: Record) -> str:
    if record.status == "failed":
        return f"{record.name}: failed: {record.error}"
    return (
        f"{record.name}: {len(record.positions)} atoms, {record.kpoints} k-points, {record.per_atom:.5f} eV/atom, "
        f"{record.iterations} iterations, {record.seconds:.1f} s"
    )
