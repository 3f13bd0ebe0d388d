"""Where a run speaks: the terminal, unless it is to be quiet, and a file if one is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.control import Control

from uqbench.errors import UqbenchError

LOG_WIDTH = 100


class Voice(Console):
    """A console that keeps a log of what it prints, or would print if it were not quiet.

    Colours and a live bar are for terminals alone; NO_COLOR takes the colours away there too.
    """

    def __init__(self, quiet: bool, log: IO[str] | None) -> None:
        super().__init__(highlight=False, emoji=False, quiet=quiet)
        self._log = None
        if log is not None:
            timed: Any = _Timed(log)
            self._log = Console(file=timed, width=LOG_WIDTH, no_color=True, highlight=False, emoji=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich does; what steers the terminal, as a bar does, is not for the log."""
        super().print(*objects, **options)
        if self._log is not None and not any(isinstance(o, Control) for o in objects):
            # Lines of a log are left whole, so that they can be searched.
            whole: dict[str, Any] = {"soft_wrap": any(isinstance(o, str) for o in objects)}
            self._log.print(*objects, **(options | whole))

    def say(self, text: str) -> None:
        """Plain text, broken between words on a terminal and left whole in a file or pipe."""
        self.print(text, markup=False, soft_wrap=not self.is_terminal)

    def complain(self, text: str) -> None:
        """What has to be heard even of a quiet run, which says it on the error stream."""
        self.say(text)
        if self.quiet:
            print(text, file=sys.stderr)


@contextmanager
def voice(quiet: bool, log: Path | None) -> Iterator[Voice]:
    """A voice, and its log closed. Raises UqbenchError where the log cannot be written; errors end in the log too."""
    if log is None:
        yield Voice(quiet, None)
        return
    try:
        file = log.open("a", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UqbenchError(
            f"--log-file {log} cannot be written: {error.strerror or error}. Name a file in a folder that is there."
        ) from None
    with file:
        try:
            yield Voice(quiet, file)
        except UqbenchError as error:
            print(f"uqbench: {error}", file=_Timed(file))
            raise


class _Timed:
    """A stream that begins each line with the time, and that a full disk does not end the run of."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.fresh = True

    def write(self, text: str) -> int:
        with suppress(OSError):
            for line in text.splitlines(keepends=True):
                stamp = f"{datetime.now():%Y-%m-%d %H:%M:%S}  " if self.fresh else ""
                self.file.write((stamp + line.rstrip(" \n")) + "\n" * line.endswith("\n"))
                self.fresh = line.endswith("\n")
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self.file.flush()
