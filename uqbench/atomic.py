"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from uqbench.errors import UqbenchError


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all; see replacing."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of path when the body ends, and leaves it as it was if the body raises.

    It stands beside it as .NAME.partial, locked: a second writer waits for the first, and what one that was killed
    left behind is written over. Raises UqbenchError where the disk refuses.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(partial) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(partial, path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UqbenchError(
            f"{path} cannot be written: {error.strerror or error}. Make room, or choose another folder; what is "
            "finished is kept, and the same command goes on from there."
        ) from error


@contextmanager
def _locked(partial: Path) -> Iterator[BinaryIO]:
    """The file, empty and held by this writer alone."""
    import fcntl

    while True:
        with partial.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # While we waited, the writer before us has put it in its place or taken it away.
            try:
                if not os.path.samestat(os.fstat(file.fileno()), partial.stat()):
                    continue
            except FileNotFoundError:
                continue
            try:
                file.truncate(0)
                os.fchmod(file.fileno(), 0o644)
                yield file
            finally:
                # A process that was forked meanwhile holds the same lock, and may live on.
                fcntl.flock(file, fcntl.LOCK_UN)
            return
