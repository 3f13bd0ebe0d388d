"""The server that isolated processes are forked from, started early and deaf to Ctrl-C.

A terminal sends Ctrl-C to all processes of a command. The one that the user speaks to ends the others in order; a
server that heard it too, in the middle of its imports, would print a traceback of its own.
"""

from __future__ import annotations

import signal
from multiprocessing import forkserver, get_context, resource_tracker

from uqbench.suite.isolated import PRELOAD


def start_server() -> None:
    """Start it, unless it is there; returns while it imports."""
    get_context("forkserver").set_forkserver_preload(list(PRELOAD))
    # It comes first, since starting it unblocks the signal.
    resource_tracker.ensure_running()
    # Blocked, and not ignored: what is started inherits that, and a Ctrl-C of this moment reaches us afterwards.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
