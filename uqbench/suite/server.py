"""The server that isolated processes are forked from, started early and deaf to Ctrl-C."""

from __future__ import annotations

from multiprocessing import forkserver, get_context

from uqbench.processes import deaf_to_ctrl_c
from uqbench.suite.isolated import PRELOAD


def start_server() -> None:
    """Start it, unless it is there; returns while it imports."""
    get_context("forkserver").set_forkserver_preload(list(PRELOAD))
    with deaf_to_ctrl_c():
        forkserver.ensure_running()
