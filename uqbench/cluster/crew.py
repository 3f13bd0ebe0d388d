"""Fits on the workers of a Dask scheduler, as many at a time as these have room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uqbench.atomic import write_atomically
from uqbench.backbones.parts import Part, parts_of
from uqbench.cluster.scheduler import scheduler_there, workers_of
from uqbench.cluster.work import Done, Site, fit_here, prepare_here
from uqbench.errors import UqbenchError
from uqbench.suite.execute import Display
from uqbench.suite.graph import ROWS, Node, Settings, fail
from uqbench.suite.job import reason_of
from uqbench.suite.record import parse_record, write_record
from uqbench.suite.results import take_raw

if TYPE_CHECKING:
    from distributed import Client, Future

ALONE = "uqbench-alone"
"""Resource of a worker that has its machine to itself: if there are any, all fits run on these, one at a time each."""
GPU = "GPU"
"""Resource of a worker with a GPU: if there are any, fits on one run there."""
RETRIES = 2
"""Times that work is done again after a worker raised; one that died has its work done again by Dask itself."""
ATOMS_OF_A_PART = 10_000
"""Of design rows: SNAP's take some four seconds, beside which a part's own costs are small."""
LOOK_AGAIN = 2.0
"""Seconds after which workers are counted again."""


@dataclass(frozen=True)
class Taken:
    """A piece of work as it was carried out: what it was, what it needs, seconds on the worker.

    kind: "part" of what is needed, "prepare" for what puts parts together or makes the whole, or "fit".
    """

    kind: str
    label: str
    needs: str
    seconds: float


@dataclass
class DaskCrew:
    """See uqbench.suite.execute.Crew. cache: of rows on this machine's own workers; None for each worker's own."""

    client: Client
    settings: Settings
    display: Display
    cache: Path | None
    taken: list[Taken] = field(default_factory=list)

    def carry_out(self, nodes: Iterator[Node]) -> Iterator[tuple[Node, float]]:
        """See Crew."""
        return _Shift(self).all(nodes)


class _Shift:
    """The state of one run: what waits for what."""

    def __init__(self, crew: DaskCrew) -> None:
        settings = crew.settings
        plugins = {path.name: path.read_bytes() for path in settings.plugins}
        self.crew, self.client, self.settings = crew, crew.client, settings
        self.site = Site(crew.cache, plugins, settings.limits)
        self.alone = False
        self.offered = {name for worker in self._workers() for name in worker.get("resources", {})}
        self.running: dict[Future[Any], tuple[str, Node]] = {}
        self.ready: deque[Node] = deque()
        self.waiting: dict[tuple[object, ...], list[Node]] = {}
        self.prepared: dict[tuple[object, ...], str] = {(): ""}
        self.joining: dict[tuple[object, ...], tuple[Node, set[Part]]] = {}

    def all(self, nodes: Iterator[Node]) -> Iterator[tuple[Node, float]]:
        try:
            more = True
            while more or self.running or self.ready:
                room = self._room()
                # Some more than there is room for, so that what they need is prepared in time.
                while more and self._held() < 2 * room:
                    node = next(nodes, None)
                    more = node is not None
                    if node is not None:
                        self._take(node)
                while self.ready and len(self.running) < room:
                    self._start(self.ready.popleft())
                for future in self._ended():
                    yield from self._settle(future)
        finally:
            self.client.cancel(list(self.running))

    def _held(self) -> int:
        return len(self.running) + len(self.ready) + sum(map(len, self.waiting.values()))

    def _take(self, node: Node) -> None:
        if node.needs in self.prepared:
            self.ready.append(node)
        elif node.needs in self.waiting:
            self.waiting[node.needs].append(node)
        else:
            self.waiting[node.needs] = [node]
            if parts := self._parts(node):
                self.joining[node.needs] = replace(node, parts=parts), set(parts)
                for part in parts:
                    self._submit("part", prepare_here, replace(node, parts=(part,)), {})
            else:
                self._submit("prepare", prepare_here, node, {})

    def _parts(self, node: Node) -> tuple[Part, ...]:
        """Of design rows, where the one who puts them together can reach those of the others."""
        reachable = self.crew.cache is not None or self.settings.store is not None
        structures = [frame.atoms for frame in node.job.dataset.frames]
        n = min(self._room(), sum(map(len, structures)) // ATOMS_OF_A_PART)
        return parts_of(structures, n) if node.what == ROWS and reachable and n > 1 else ()

    def _start(self, node: Node) -> None:
        tags = {ALONE: 1.0} if ALONE in self.offered else {}
        if node.job.fit.device.startswith("cuda") and GPU in self.offered:
            tags[GPU] = 1.0
        beside = ALONE not in self.offered
        self._submit("fit", fit_here, replace(node, job=replace(node.job, beside_others=beside)), tags)

    def _submit(
        self, kind: str, work: Callable[[Node, Site], Done], node: Node, tags: dict[str, float]
    ) -> None:
        self.crew.display.step("" if kind == "fit" else f"{node.what}: {node.job.fit.label}")
        name = f"{kind}-{node.number}-{node.job.fit.label}-{node.parts[:1]}"
        future = self.client.submit(
            work, node, self.site, key=name, pure=False, retries=RETRIES, resources=tags or None
        )
        self.running[future] = kind, node

    def _ended(self) -> list[Future[Any]]:
        """Futures that ended since; none if there are none within a while."""
        from distributed import wait

        if not self.running:
            return []
        try:
            with scheduler_there():
                ended: Any = wait(list(self.running), timeout=LOOK_AGAIN, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        return list(ended.done)

    def _settle(self, future: Future[Any]) -> Iterator[tuple[Node, float]]:
        kind, node = self.running.pop(future)
        done = self._result(future)
        for note in done.notes:
            self.crew.display.note(note)
        if done.log[0]:
            write_atomically(self.settings.out / "logs" / done.log[0], done.log[1].encode())
        needs = "/".join(map(str, node.needs))
        self.crew.taken.append(Taken(kind, node.job.fit.label, needs, done.seconds))
        if kind == "fit":
            self._keep(node, done)
            yield node, done.seconds
            return
        if kind == "part":
            # One that failed is made again with the whole, which says why it can't be.
            whole, left = self.joining[node.needs]
            left.difference_update(node.parts)
            if not left:
                self._submit("prepare", prepare_here, whole, {})
            return
        self.prepared[node.needs] = done.failure
        for one in self.waiting.pop(node.needs):
            if done.failure:
                fail(one.job, done.failure, one.job.fit.tasks)
                yield one, done.seconds
            else:
                self.ready.append(one)

    def _result(self, future: Future[Any]) -> Done:
        from distributed import KilledWorker

        with scheduler_there():
            error: Any = future.exception()
            if error is None:
                return future.result()
        reason = reason_of(error)
        if isinstance(error, KilledWorker):
            reason = (
                f"its worker died each time it was tried (last: {error.last_worker.address}); out of memory?"
            )
        return Done(reason, {}, (), ("", ""), 0.0)

    def _keep(self, node: Node, done: Done) -> None:
        """Write the records of a fit."""
        job = node.job
        if done.failure:
            fail(job, done.failure, job.fit.tasks)
            return
        for task in job.fit.tasks:
            stem = job.fit.cell(task).file_stem
            content, raw = done.files[f"{stem}.json"], done.files.get(f"{stem}.npz")
            record = parse_record(content, f"record {stem}")
            if raw is None and job.store is not None:
                try:
                    raw = take_raw(job.store, record)
                except UqbenchError as error:
                    fail(job, str(error), [task])
                    continue
            if record.raw is not None and raw is None:
                fail(job, f"raw predictions {record.raw.sha256} are not in the store; run it again.", [task])
            else:
                write_record(job.records, stem, record, raw)

    def _workers(self) -> list[Mapping[str, Any]]:
        with scheduler_there():
            if (own := self.client.cluster) is not None:
                # Dask starts a worker again that died, but not one that died or was too slow as it started.
                own.scale(len(own.worker_spec))
        found = list(workers_of(self.client).values())
        if not found and not self.alone:
            self.crew.display.note("there are no workers now; waiting for some.")
        self.alone = not found
        return found

    def _room(self) -> int:
        """How many pieces of work there is room for; at least one, while workers come and go."""
        workers = self._workers()
        if ALONE in self.offered:
            return max(1, round(sum(worker["resources"].get(ALONE, 0.0) for worker in workers)))
        return max(1, sum(worker["nthreads"] for worker in workers))
