"""Folders that a run writes to: whether it can, whether they can be locked, and how much room there is."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from uqbench.doctor.finding import Finding

LEAST_ROOM = 1e9
"""Bytes: design rows of 1,000 structures of 50 atoms with 56 features take 0.07 GB, of zuo2020 with 2,000 several."""


def places(out: Path) -> list[Finding]:
    """The folder of results, the cache and that of temporary files. out: as given by --out."""
    from uqbench.suite.run import default_cache

    found = [
        _place("results", out.absolute(), "Choose another folder: --out FOLDER."),
        _place("cache", default_cache(), "Choose another folder: export UQBENCH_CACHE=FOLDER."),
    ]
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        told, remedy = str(error), "Choose another folder: export TMPDIR=FOLDER."
        return [*found, Finding("temporary files", "broken", told, remedy)]
    return [*found, _place("temporary files", temporary, "Choose another folder: export TMPDIR=FOLDER.")]


def _place(what: str, folder: Path, remedy: str) -> Finding:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not there.is_dir():
        return Finding(what, "broken", f"{there} is a file, and {folder} is to be a folder.", remedy)
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".uqbench-doctor-") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        told = f"{folder}: nothing can be written there ({error.strerror or error})."
        return Finding(what, "broken", told, remedy)
    free = shutil.disk_usage(there).free
    told = f"{folder}: {free / 1e9:.1f} GB free"
    if free < LEAST_ROOM:
        return Finding(what, "warning", told + ".", f"Make room there. {remedy}")
    return Finding(what, "ok", told)
