"""Which of a fit's records are there already: whole, of this very content, and no failure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

from uqbench.checksum import file_sha256
from uqbench.errors import UqbenchError
from uqbench.suite.job import Job
from uqbench.suite.record import Record, parse_record, read_record

FILE = "records.known"
NO_RAW = "-"


@dataclass(frozen=True)
class Known:
    """What recognition needs of records that were read once, by the checksum of every byte of theirs.

    Reading a record takes ten times as long as its checksum, and a record that is another one has another checksum, so
    that an entry is never out of date. file: a line a record, "SHA256 CONTENT_KEY STATUS RAW_SHA256"; one that is lost
    or damaged costs a little time.
    """

    file: Path

    @cached_property
    def _entries(self) -> dict[str, tuple[str, bool, str]]:
        found = {}
        with suppress(OSError):
            for line in self.file.read_text(errors="replace").splitlines():
                match line.split(" "):
                    case [own, key, ("ok" | "failed") as status, raw] if len(own) == 64 and len(raw) in (
                        1,
                        64,
                    ):
                        found[own] = key, status == "ok", raw
        return found

    def stored(self, job: Job) -> set[str]:
        """The tasks of a job whose records are there; not if missing, damaged, of other content or a failure."""
        return {task for task in job.fit.tasks if self._usable(job.path(task), job.keys[task])}

    def read(self, path: Path) -> Record:
        """A record that was just made, remembered for the next time. Raises UqbenchError."""
        record = read_record(path)
        with suppress(OSError):
            self._learn(file_sha256(path), record, path)
        return record

    def _usable(self, path: Path, key: str) -> bool:
        try:
            content = path.read_bytes()
            own = hashlib.sha256(content).hexdigest()
            if own not in self._entries:
                self._learn(own, parse_record(content, f"record {path}"), path)
            content_key, usable, raw_sha256 = self._entries[own]
            if content_key != key or not usable:
                return False
            # What a checksum speaks for was readable when it was taken; unpacking it takes thirty times as long.
            return raw_sha256 == NO_RAW or file_sha256(_raw(path)) == raw_sha256
        except (UqbenchError, OSError):
            return False

    def _learn(self, own: str, record: Record, path: Path) -> None:
        if record.raw is not None and record.raw.file != _raw(path).name:
            raise UqbenchError(
                f"record {path} speaks of raw predictions in another place; run its cell again."
            )
        status = "failed" if record.status == "failed" else "ok"
        raw_sha256 = record.raw.sha256 if record.raw else NO_RAW
        self._entries[own] = record.content_key, status == "ok", raw_sha256
        # The line break comes first: a line that was cut off must not take this one with it.
        with suppress(OSError), self.file.open("a") as file:
            file.write(f"\n{own} {record.content_key} {status} {raw_sha256}")


def _raw(path: Path) -> Path:
    """The raw predictions beside a record."""
    return path.with_name(f"{path.name.removesuffix('.json')}.npz")


@dataclass(frozen=True)
class RecordFiles(Sequence[Record]):
    """Records that are read when they are looked at: twenty thousand of them don't fit into memory."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> RecordFiles: ...

    def __getitem__(self, index: int | slice) -> Record | RecordFiles:
        if isinstance(index, slice):
            return RecordFiles(self.paths[index])
        return read_record(self.paths[index])
