"""The server that isolated processes are forked from, started early and deaf to Ctrl-C."""

from __future__ import annotations

import tempfile
from multiprocessing import forkserver, get_context

from uqbench.errors import UqbenchError
from uqbench.processes import deaf_to_ctrl_c
from uqbench.suite.isolated import PRELOAD


def start_server() -> None:
    """Start it, unless it is there; returns while it imports.

    Raises UqbenchError where its socket, whose path may have a hundred characters, cannot be made.
    """
    get_context("forkserver").set_forkserver_preload(list(PRELOAD))
    try:
        with deaf_to_ctrl_c():
            forkserver.ensure_running()
    except OSError as error:
        raise UqbenchError(
            f"no socket for processes in the folder for temporary files, {tempfile.gettempdir()}: {error}. Set the "
            "environment variable TMPDIR to another one, with a shorter name."
        ) from None
