"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, parent_process, resource_tracker
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """What is started meanwhile, threads and what they start included, never hears Ctrl-C.

    A terminal sends it to all processes of a command. The one that the user speaks to ends the others in order; one of
    those that heard it too would print a traceback of its own.
    """
    # It comes first, since starting it unblocks the signal.
    resource_tracker.ensure_running()
    # Blocked, and not ignored: what is started inherits that, and a Ctrl-C of this moment reaches us afterwards.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(leave: Callable[[], object] | None = None) -> None:
    """End this process when its parent ends, even by kill -9; call once, in the child. leave: called before."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        try:
            if leave is not None:
                leave()
        finally:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_family(leader: int | None, scratch: str) -> None:
    """Kill the leader of a session and all that was started in it, but never the process that calls.

    These are its children, what is in its session, and what left it but has its folder of temporary files.
    """
    for _ in range(3):
        # Anew until there are none: one may be forked while others are looked for.
        if not (family := _family(leader, scratch)):
            return
        for pid in family:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _family(leader: int | None, scratch: str) -> set[int]:
    import psutil

    if not leader:
        return set()
    members = set()
    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if os.getsid(pid) == leader or process.environ().get("TMPDIR") == scratch:
                members.add(process)
    with suppress(psutil.Error):
        members |= {psutil.Process(leader), *psutil.Process(leader).children(recursive=True)}
    return {p.pid for p in members if p.pid != os.getpid() and _alive(p)}


def _alive(process: psutil.Process) -> bool:
    import psutil

    with suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def resident_bytes(leader: int | None) -> int:
    """Memory that a process and its children hold and share with no file."""
    import psutil

    total = 0
    with suppress(psutil.Error):
        whole = psutil.Process(leader)
        for process in [whole, *whole.children(recursive=True)]:
            with suppress(psutil.Error):
                found = process.memory_info()
                total += found.rss - getattr(found, "shared", 0)
    return total
