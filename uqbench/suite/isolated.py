"""A function in a process of its own: what it prints, how long it takes and how it dies stay there."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from uqbench.errors import UqbenchError
from uqbench.processes import end_with_parent

PRELOAD = ("uqbench.suite.fit", "scipy.linalg", "scipy.optimize", "scipy.special", "spglib", "ase.io")
"""Imported once by the server that processes are forked from."""

FAILED = "\0"
"""Begins the message that says why the work raised."""

Say = Callable[[str], None]


def run_isolated(
    work: Callable[..., None], arguments: tuple[Any, ...], log: Path, timeout: float, on_message: Say
) -> str:
    """Run work(*arguments, say) in a process; empty if it ended well, else why not and the end of its output.

    work is found by its name in its module. What it says through `say` comes to on_message, what it prints goes to
    the log. timeout: seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    receiver, sender = context.Pipe(duplex=False)
    # Temporary files go with the process, however it ends.
    with TemporaryDirectory(prefix="uqbench-", ignore_cleanup_errors=True) as scratch:
        process = context.Process(target=_child, args=(work, arguments, sender, log, scratch))
        process.start()
        sender.close()
        try:
            reason = _wait(process, receiver, timeout, on_message)
        finally:
            process.kill()
            process.join()
    return f"{reason}\n{_tail(log)}".strip() if reason else ""


def _wait(process: BaseProcess, receiver: Connection, timeout: float, on_message: Say) -> str:
    """Pass on what the process says until it ends; why it ended, empty if it ended well."""
    deadline = time.monotonic() + timeout
    for message in _messages(receiver, deadline):
        if message.startswith(FAILED):
            return message.removeprefix(FAILED)
        on_message(message)
    process.join(max(0.0, deadline - time.monotonic()))
    if process.is_alive():
        return f"stopped after its time limit of {timeout:g} s (--timeout)."
    if process.exitcode and process.exitcode < 0:
        name = signal.Signals(-process.exitcode).name
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}."
    return f"its process ended with exit code {process.exitcode}." if process.exitcode else ""


def _messages(receiver: Connection, deadline: float) -> Iterator[str]:
    while (left := deadline - time.monotonic()) > 0:
        if receiver.poll(min(left, 1.0)):
            try:
                yield receiver.recv_bytes().decode()
            except EOFError:
                return


def _child(
    work: Callable[..., None], arguments: tuple[Any, ...], sender: Connection, log: Path, scratch: str
) -> None:
    """Entry of the process."""
    end_with_parent()
    tempfile.tempdir = os.environ["TMPDIR"] = scratch
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # By lines, so that what was printed is in the log whatever ends the process.
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", buffering=1, closefd=False) for fd in (1, 2))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work(*arguments, lambda text: sender.send_bytes(text.encode()))
    except Exception as error:
        traceback.print_exc()
        reason = str(error) if isinstance(error, UqbenchError) else f"{type(error).__name__}: {error}"
        sender.send_bytes((FAILED + reason).encode())
    sender.close()


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace")[-4000:]
    except OSError:
        return ""
