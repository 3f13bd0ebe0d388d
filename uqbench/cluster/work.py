"""What a worker does with a node: rows or networks, or a fit with its tasks, in a folder and process of their own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from uqbench.errors import UqbenchError
from uqbench.suite.graph import Limits, Node, run_fit, run_prepare
from uqbench.suite.networks import NOTE
from uqbench.suite.results import Results
from uqbench.suite.run import default_cache

LONGEST_LOG = 1_000_000
"""Characters of a log's end that go back with a result."""


@dataclass(frozen=True)
class Site:
    """What a worker is to know. cache: folder of rows; None for its own. plugins: by file name. limits: of a fit."""

    cache: Path | None
    plugins: Mapping[str, bytes]
    limits: Limits


@dataclass(frozen=True)
class Done:
    """What comes back of a node.

    failure: of what was to be prepared. files: records of a fit by file name, raw predictions before the record that
    names them; without those that are in the store. notes: worth a line. log: by name. seconds: on the worker.
    """

    failure: str
    files: Mapping[str, bytes]
    notes: tuple[str, ...]
    log: tuple[str, str]
    seconds: float


def prepare_here(node: Node, site: Site) -> Done:
    """Design rows, or networks with theirs, into this worker's cache and the store if there is one."""

    def work(own: Node, logs: Path, say: Callable[[str], None]) -> tuple[str, dict[str, bytes]]:
        return run_prepare(own, 1, logs, site.limits, say), {}

    return _carried_out(node, site, work)


def fit_here(node: Node, site: Site) -> Done:
    """The fit and its tasks; records go back with the result, raw predictions to the store if there is one."""

    def work(own: Node, logs: Path, say: Callable[[str], None]) -> tuple[str, dict[str, bytes]]:
        run_fit(own, logs, site.limits, say)
        stored = False
        if own.job.store is not None:
            try:
                Results(own.job.store).give(own.job)
                stored = True
            except UqbenchError as error:
                say(f"{NOTE}{error} The records come back without it.")
        files = sorted(own.job.records.iterdir(), key=lambda path: path.suffix != ".npz")
        return "", {f.name: f.read_bytes() for f in files if not (stored and f.suffix == ".npz")}

    return _carried_out(node, site, work)


def _carried_out(
    node: Node, site: Site, work: Callable[[Node, Path, Callable[[str], None]], tuple[str, dict[str, bytes]]]
) -> Done:
    began = time.perf_counter()
    notes: list[str] = []

    def say(message: str) -> None:
        if message.startswith(NOTE):
            notes.append(message.removeprefix(NOTE))

    with _desk(node, site) as (own, logs):
        failure, files = work(own, logs, say)
        (log,) = logs.iterdir()
        text = log.read_text(errors="replace")[-LONGEST_LOG:]
    return Done(failure, files, tuple(notes), (log.name, text), time.perf_counter() - began)


@contextmanager
def _desk(node: Node, site: Site) -> Iterator[tuple[Node, Path]]:
    """The node with paths of this machine, and a folder for logs."""
    from distributed import get_worker

    if multiprocessing.current_process().daemon:
        raise UqbenchError(
            "this Dask worker may not start processes, and every fit runs in one of its own; start workers with "
            "DASK_DISTRIBUTED__WORKER__DAEMON=False in their environment."
        )
    # The worker's own folder: of one that is killed, Dask removes it when the next worker starts.
    with TemporaryDirectory(dir=get_worker().local_directory, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for part in ("plugins", "records", "logs"):
            (folder / part).mkdir()
        plugins = []
        for file, content in site.plugins.items():
            plugins.append(folder / "plugins" / file)
            plugins[-1].write_bytes(content)
        cache = site.cache or default_cache()
        job = replace(node.job, plugins=tuple(plugins), records=folder / "records", cache=cache)
        yield replace(node, job=job), folder / "logs"
