"""A Dask cluster of this machine's processes, or a client of one that is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from uqbench.cluster.crew import ALONE, GPU
from uqbench.cluster.scheduler import scheduler_there, workers_of
from uqbench.errors import UqbenchError
from uqbench.processes import deaf_to_ctrl_c

if TYPE_CHECKING:
    from distributed import Client

DEATHS = 3
"""Workers that work may take down with it before it is given up, on a cluster of our own."""
CONNECT_SECONDS = 30.0
LARGE_WORK = {"distributed.admin.large-graph-warning-threshold": "1TB"}
"""Work brings its dataset, of sixty bytes an atom and more, which is no reason for a warning."""
ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
}


@contextmanager
def local_client(jobs: int) -> Iterator[Client]:
    """A client of `jobs` processes of one thread each, on a core each, that listen on the loopback device alone.

    On a machine with GPUs the first processes have one each, of those that CUDA_VISIBLE_DEVICES names if it is set.
    Raises UqbenchError if Dask is missing or jobs is no positive number.
    """
    if jobs < 1:
        raise UqbenchError(f"--jobs {jobs}: at least one process is needed.")
    dask, distributed = _dask("--jobs")
    settings = {
        **LARGE_WORK,
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.scheduler.worker-saturation": 1.0,
        # On a busy machine a worker may take longer than the 15 s of Dask to start again.
        "distributed.deploy.lost-worker-timeout": "60s",
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
    }
    with (
        dask.config.set(settings),
        _workers(distributed, jobs) as cluster,
        distributed.Client(cluster) as client,
    ):
        # It runs wherever garbage is collected, and a Ctrl-C that comes meanwhile is lost in it.
        distributed.gc.disable_gc_diagnosis(force=True)
        client.register_plugin(_own_core(_gpus()))
        yield client


def _workers(distributed: Any, jobs: int) -> Any:
    try:
        with deaf_to_ctrl_c():
            return distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address=None,
                # Limits are those of fits, which have processes of their own.
                memory_limit=None,
                resources={ALONE: 1.0} if jobs == 1 else None,
                # What befalls workers is told by who waits for their work.
                silence_logs=logging.CRITICAL,
            )
    # One was killed as it started, or there is no room for it.
    except (RuntimeError, OSError) as error:
        raise UqbenchError(
            f"--jobs {jobs}: workers could not be started ({error}). Run the same command again, perhaps with fewer."
        ) from error


@contextmanager
def remote_client(address: str, note: Callable[[str], None]) -> Iterator[Client]:
    """A client of the scheduler at an address, tcp://HOST:PORT or tls://HOST:PORT.

    TLS certificates are those of Dask's own configuration (distributed.comm.tls). note: told if the connection is
    open to others. Raises UqbenchError if Dask is missing, nobody answers, or its workers can't start processes.
    """
    dask, distributed = _dask("--scheduler")
    if not address.startswith(("tcp://", "tls://")):
        raise UqbenchError(f"--scheduler {address}: an address is tcp://HOST:PORT or tls://HOST:PORT.")
    if address.startswith("tcp://") and not _loopback(urlsplit(address).hostname or ""):
        note(
            f"{address} is neither encrypted nor asks who you are; in a network that is not yours, use tls://."
        )
    try:
        client = _closed_on_failure(distributed.Client)(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UqbenchError(f"--scheduler {address}: no Dask scheduler answers ({reason}).") from None
    with _quiet("distributed.client"), client, dask.config.set(LARGE_WORK):
        if not workers_of(client):
            note(f"{address} has no workers yet; waiting for the first.")
            with scheduler_there():
                client.wait_for_workers(1)
        yield client


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without tracebacks of a scheduler that went away: who waits for work says so in a sentence."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _closed_on_failure(base: type[Client]) -> type[Client]:
    class ClosedOnFailure(base):
        """Closes itself where its start fails and leaves it open.

        Left to the garbage collector, which may run in the thread that the next client starts, it would wait there
        for a lock that the next one holds until its thread has started.
        """

        def start(self, **kwargs: Any) -> None:
            try:
                super().start(**kwargs)
            except BaseException:
                # Why it could not start is what counts.
                with suppress(Exception):
                    self.close()
                raise

    return ClosedOnFailure


def _dask(option: str) -> tuple[Any, Any]:
    try:
        import dask
        import distributed
    except ImportError:
        raise UqbenchError(f"{option} needs Dask: pip install 'uqbench[dask]'.") from None
    return dask, distributed


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
    return [name for name in given.split(",") if name.strip()]


def _own_core(gpus: list[str]) -> Any:
    from distributed import WorkerPlugin

    class OwnCore(WorkerPlugin):
        """Gives a worker the core, and the GPU if there are enough, of its number."""

        name = "uqbench-own-core"

        async def setup(self, worker: Any) -> None:
            number = int(worker.name)
            if hasattr(os, "sched_setaffinity"):
                cores = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(0, {cores[number % len(cores)]})
            if gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number] if number < len(gpus) else ""
            if number < len(gpus):
                await worker.set_resources(**{GPU: 1.0})

    return OwnCore()
