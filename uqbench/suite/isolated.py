"""A function in a process of its own: what it prints, takes, leaves behind and how it dies stay there."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

from uqbench.errors import UqbenchError, UqbenchWarning
from uqbench.processes import end_family, end_with_parent, resident_bytes
from uqbench.suite.networks import NOTE

PRELOAD = ("uqbench.suite.fit", "scipy.linalg", "scipy.optimize", "scipy.special", "spglib", "ase.io")
"""Imported once by the server that processes are forked from."""

FAILED, DONE = "\0", "\2"
"""Begins the message that says why the work raised; says that all of it was done."""
TICK = 0.25
"""Seconds between looks at memory and log."""
GRACE = 3.0
"""Seconds that a process has to end after its work is done, before it is ended."""
LOG_BYTES = 4_000_000
"""Of a log: what is printed beyond is cut from the middle."""
MESSAGE_BYTES = 3000
"""Longest message: the system writes it whole or not at all, so that nobody waits for the rest of one."""

Say = Callable[[str], None]


def run_isolated(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    log: Path,
    timeout: float,
    on_message: Say,
    memory: int | None = None,
) -> str:
    """Run work(*arguments, say) in a process; empty if it ended well, else why not and the end of its output.

    work is found by its name in its module. What it says through `say` comes to on_message, what it prints goes to
    the log, what it starts ends with it. timeout: seconds. memory: bytes that it and what it starts may hold; None for
    as much as there is. Raises UqbenchError where there is no place for the log or temporary files.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    receiver, sender = context.Pipe(duplex=False)
    # Temporary files go with the process, however it ends.
    with _scratch(log) as scratch, receiver:
        process = context.Process(target=_child, args=(work, arguments, sender, log, scratch))
        process.start()
        sender.close()
        try:
            reason = _Watch(process, receiver, log, timeout, memory).until_the_end(on_message)
        finally:
            end_family(process.ident, scratch)
            process.join()
            _cut(log)
    return f"{reason}\n{_tail(log)}".strip() if reason else ""


def _scratch(log: Path) -> TemporaryDirectory[str]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix="uqbench-", ignore_cleanup_errors=True)
    except OSError as error:
        raise UqbenchError(
            f"{error.filename or log.parent} cannot be made: {error.strerror or error}. Make room there, or choose "
            "another place for results (--out) and temporary files (the environment variable TMPDIR)."
        ) from error


@dataclass(frozen=True)
class _Watch:
    """What the parent does while the process runs."""

    process: BaseProcess
    receiver: Connection
    log: Path
    timeout: float
    memory: int | None

    def until_the_end(self, on_message: Say) -> str:
        """Pass on what the process says until it ends or oversteps a limit; why it ended, empty if it ended well."""
        deadline = time.monotonic() + self.timeout
        looked = time.monotonic()
        while True:
            # Not the end of the pipe, which a process that was left behind may hold open, but that of the process.
            ready = connection.wait([self.receiver, self.process.sentinel], TICK)
            if (message := self._message()) is not None:
                if message == DONE:
                    self.process.join(GRACE)
                    return ""
                if message.startswith(FAILED):
                    return message.removeprefix(FAILED)
                on_message(message)
            elif self.process.sentinel in ready:
                return self._how_it_ended()
            now = time.monotonic()
            if now > deadline:
                return f"stopped after its time limit of {self.timeout:g} s (--timeout)."
            if now - looked > TICK:
                looked = now
                _cut(self.log)
                if self.memory is not None and (held := resident_bytes(self.process.ident)) > self.memory:
                    return (
                        f"stopped at {held / 1e9:.2f} GB, above its memory limit of {self.memory / 1e9:.2f} GB "
                        "(--memory-limit)."
                    )

    def _message(self) -> str | None:
        with suppress(EOFError, OSError):
            if self.receiver.poll():
                return self.receiver.recv_bytes().decode(errors="replace")
        return None

    def _how_it_ended(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}."
        return f"its process ended with exit code {code} before its work was done."


def _child(
    work: Callable[..., None], arguments: tuple[Any, ...], sender: Connection, log: Path, scratch: str
) -> None:
    """Entry of the process."""
    # What it starts is known by the session.
    os.setsid()
    _first_to_go()

    def leave() -> None:
        rmtree(scratch, ignore_errors=True)
        end_family(os.getpid(), scratch)

    end_with_parent(leave)
    tempfile.tempdir = os.environ["TMPDIR"] = scratch

    def say(text: str) -> None:
        with suppress(OSError):
            sender.send_bytes(text.encode(errors="replace")[:MESSAGE_BYTES])

    try:
        _print_to(log)
    except OSError as error:
        # The disk is full, or the folder went with the worker that it was of.
        say(f"{FAILED}{log} cannot be written: {error.strerror or error}.")
        return
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.excepthook = lambda lost: _tell_of_thread(lost, say)
        _tell_of_warnings(say)
        work(*arguments, say)
    except Exception as error:
        traceback.print_exc()
        told = str(error) if isinstance(error, UqbenchError) else ""
        say(FAILED + (told or f"{type(error).__name__}: {error}"))
    else:
        say(DONE)


def _print_to(log: Path) -> None:
    log.unlink(missing_ok=True)
    # To the end of the file, wherever that is after a cut.
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # By lines, so that what was printed is in the log whatever ends the process.
    sys.stdout, sys.stderr = (
        os.fdopen(fd, "w", buffering=1, closefd=False, errors="replace") for fd in (1, 2)
    )


def _first_to_go() -> None:
    """Where the system runs out of memory, a fit is to be ended, and not the run."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _tell_of_thread(lost: threading.ExceptHookArgs, say: Say) -> None:
    """The work goes on without the thread; what became of it must be seen."""
    threading.__excepthook__(lost)
    name = lost.thread.name if lost.thread else "?"
    say(f"{NOTE}a thread ({name}) was lost to {lost.exc_type.__name__}: {lost.exc_value}; see the log.")


def _tell_of_warnings(say: Say) -> None:
    """All go to the log, and ours to the user as well."""
    show = warnings.showwarning

    def shown(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, UqbenchWarning):
            say(f"{NOTE}{message}")
        show(message, category, *where, **more)

    warnings.showwarning = shown


def _cut(log: Path) -> None:
    """Keep the beginning and the end of a log that has grown too long."""
    with suppress(OSError):
        if (size := log.stat().st_size) <= LOG_BYTES:
            return
        with log.open("r+b") as file:
            file.seek(size - LOG_BYTES // 4)
            end = file.read(LOG_BYTES // 4)
            file.truncate(LOG_BYTES // 4)
        with log.open("ab") as file:
            file.write(f"\n... {size - LOG_BYTES // 2:,} bytes are cut here ...\n".encode() + end)


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4000))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
