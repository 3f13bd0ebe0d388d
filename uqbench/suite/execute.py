"""Runs a plan: one process a fit, so that memory is measured cleanly and a crash ends that fit alone."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from uqbench.api import Kind, LinearBackbone
from uqbench.backbones.store import stored_rows
from uqbench.data.dataset import Dataset
from uqbench.data.split import Split, make_split
from uqbench.errors import UqbenchError
from uqbench.processes import end_with_parent
from uqbench.registry import Registry
from uqbench.spec import Spec
from uqbench.suite.fit import Job, run_job, write_failure
from uqbench.suite.plan import Fit, content_key, source_hash
from uqbench.suite.record import Record, read_raw, read_record

PRELOAD = ("uqbench.suite.fit", "scipy.linalg", "scipy.optimize", "scipy.special", "spglib", "ase.io")
"""Imported once by the server that fits are forked from."""


class Display(Protocol):
    """What a run tells people while it goes on."""

    def stage(self, text: str) -> None:
        """A step that is not a fit: loading, design rows."""

    def rows(self, done: int, total: int) -> None:
        """Structures whose design rows are done."""

    def start(self, number: int, total: int, label: str) -> None:
        """A fit begins."""

    def step(self, text: str) -> None:
        """What the current fit is doing."""

    def finish(self, label: str, outcome: str, seconds: float) -> None:
        """A fit ended: "ok", "stored" or why not."""


@dataclass(frozen=True)
class Settings:
    """Where and how a plan is run. timeout: seconds a fit. workers: processes for design rows."""

    out: Path
    cache: Path
    plugins: tuple[Path, ...]
    scales: Mapping[Kind, float]
    held_out: tuple[str, ...] | None
    timeout: float
    workers: int
    fresh: bool

    @property
    def records(self) -> Path:
        """Folder of the records."""
        return self.out / "records"


def execute(
    plan: Sequence[Fit],
    settings: Settings,
    registry: Registry,
    load: Callable[[str], Dataset],
    display: Display,
) -> list[Record]:
    """Run every fit whose result is not stored yet; the records of the plan, failed cells included.

    A dataset that cannot be loaded, or rows that cannot be computed, fail the cells that need them.
    """
    datasets: dict[str, Dataset] = {}
    splits: dict[tuple[str, int, float], Split] = {}
    prepared: set[tuple[str, Spec]] = set()
    records = []
    for number, fit in enumerate(plan, 1):
        if fit.dataset not in datasets:
            display.stage(f"reading {fit.dataset}")
            datasets[fit.dataset] = load(fit.dataset)
        dataset = datasets[fit.dataset]
        part = (fit.dataset, fit.seed, fit.train_size)
        if part not in splits:
            splits[part] = make_split(
                dataset, seed=fit.seed, train_size=fit.train_size, held_out=settings.held_out
            )
        job = _job(fit, dataset, splits[part], settings, registry)
        display.start(number, len(plan), fit.label)
        began = time.perf_counter()
        stored = None if settings.fresh else _stored(job)
        if stored is not None:
            outcome = "stored"
        else:
            if (fit.dataset, fit.backbone) not in prepared:
                display.step("design rows")
                outcome = _prepare(job, registry, settings.workers, display)
                if outcome == "ok":
                    prepared.add((fit.dataset, fit.backbone))
            else:
                outcome = "ok"
            if outcome == "ok":
                outcome = _run_process(job, settings, display)
            stored = [read_record(settings.records / f"{fit.cell(t).file_stem}.json") for t in fit.tasks]
            failed = [r.failure.reason for r in stored if r.status == "failed" and r.failure]
            outcome = failed[0] if failed else "ok"
        display.finish(fit.label, outcome, time.perf_counter() - began)
        records += stored
    return records


def _job(fit: Fit, dataset: Dataset, split: Split, settings: Settings, registry: Registry) -> Job:
    shared = [registry.methods[fit.method.name], registry.backbones[fit.backbone.name]]
    keys = {
        task: content_key(
            fit.cell(task),
            dataset.data_hash,
            split.hash,
            source_hash([*shared, registry.tasks[task]]),
            {str(k): v for k, v in settings.scales.items()},
        )
        for task in fit.tasks
    }
    return Job(
        fit,
        dataset,
        split,
        settings.scales,
        keys,
        settings.plugins,
        settings.cache,
        settings.records,
    )


def _stored(job: Job) -> list[Record] | None:
    """The records of all tasks, if each is there, whole, of this very content, and no failure."""
    found = []
    for task, key in job.keys.items():
        path = job.records / f"{job.fit.cell(task).file_stem}.json"
        if not path.exists():
            return None
        try:
            record = read_record(path)
            if record.content_key != key or record.status == "failed":
                return None
            if record.status == "ok":
                read_raw(job.records, record)
        except UqbenchError:
            return None
        found.append(record)
    return found


def _prepare(job: Job, registry: Registry, workers: int, display: Display) -> str:
    """Design rows of the whole dataset, into the cache."""
    try:
        backbone = job.fit.backbone.build(registry, "backbones")
        if isinstance(backbone, LinearBackbone):
            structures = [f.atoms for f in job.dataset.frames]
            # A plugin given by its file cannot be imported by worker processes.
            workers = 1 if job.plugins else workers
            stored_rows(backbone, structures, job.dataset.elements, job.cache, workers, display.rows)
    except Exception as error:
        reason = f"design rows: {error}"
        for task in job.fit.tasks:
            write_failure(job, task, reason, traceback.format_exc())
        return reason
    return "ok"


def _run_process(job: Job, settings: Settings, display: Display) -> str:
    """Run the fit in a process; if it dies or takes too long, record that for what it left undone."""
    log = settings.out / "logs" / f"{job.fit.cell('fit').file_stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    receiver, sender = context.Pipe(duplex=False)
    began = time.time()
    process = context.Process(target=_child, args=(job, sender, log), daemon=True)
    process.start()
    sender.close()
    try:
        reason = _wait(process, receiver, settings.timeout, display)
    except BaseException:
        process.kill()
        process.join()
        raise
    if reason:
        for task in job.fit.tasks:
            path = job.records / f"{job.fit.cell(task).file_stem}.json"
            if not path.exists() or path.stat().st_mtime < began:
                write_failure(job, task, reason, _tail(log))
    return reason or "ok"


def _wait(process, receiver: Connection, timeout: float, display: Display) -> str:
    """Pass on what the process says until it ends; why it ended, empty if it ended well."""
    deadline = time.monotonic() + timeout
    for message in _messages(receiver, deadline):
        display.step(message)
    process.join(max(0.0, deadline - time.monotonic()))
    if process.is_alive():
        process.kill()
        process.join()
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


def _child(job: Job, sender: Connection, log: Path) -> None:
    """Entry of the process: what it prints goes to the log."""
    end_with_parent()
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_job(job, lambda text: sender.send_bytes(text.encode()))
    sender.close()


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace")[-4000:]
    except OSError:
        return ""
