"""Runs a plan: what is stored is kept, what fails fails alone, and every cell ends in a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from uqbench.data.dataset import Dataset
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench.suite.graph import Layout, Node, Settings, fail, run_fit, run_prepare
from uqbench.suite.job import Job
from uqbench.suite.networks import NOTE
from uqbench.suite.plan import Fit
from uqbench.suite.recognise import FILE, Known, RecordFiles
from uqbench.suite.results import Results

__all__ = ["Crew", "Display", "InOrder", "Settings", "execute"]


class Display(Protocol):
    """What a run tells people while it goes on."""

    def rows(self, done: int, total: int) -> None:
        """Structures whose design rows are done."""

    def start(self, number: int, total: int, label: str) -> None:
        """A fit begins."""

    def step(self, text: str) -> None:
        """What the current fit is doing."""

    def note(self, text: str) -> None:
        """What is worth a line of its own: a network is trained, a damaged file is made anew."""

    def finish(self, label: str, outcome: str, seconds: float) -> None:
        """A fit ended: "ok", "stored" or why not."""


class Crew(Protocol):
    """Who carries out fits."""

    def carry_out(self, nodes: Iterator[Node]) -> Iterator[tuple[Node, float]]:
        """Take nodes as there is room for them; those done, their records in the folder of the job, and seconds."""
        ...


def execute(
    plan: Sequence[Fit],
    settings: Settings,
    registry: Registry,
    load: Callable[[str], Dataset],
    display: Display,
    crew: Crew | None = None,
) -> RecordFiles:
    """Run every fit with the tasks whose results are not stored yet; the records of the plan, failed cells included.

    Design rows that cannot be computed, and networks that cannot be trained, fail the cells that need them. crew: None
    for one fit after the other in this process's own children. Raises UqbenchError for a dataset that cannot be loaded
    or split; see uqbench.suite.run.usable.
    """
    layout = Layout(settings, registry, load, display.step)
    results = Results(settings.store) if settings.store else None
    known = Known(settings.out / FILE)
    paths: list[Path] = []

    def from_store(job: Job) -> set[str]:
        try:
            return results.take(job) if results else set()
        except UqbenchError as error:
            display.note(f"{error} What is there is not seen now.")
            return set()

    def to_do() -> Iterator[Node]:
        for number, fit in enumerate(plan, 1):
            label = fit.label
            display.start(number, len(plan), label)
            began = time.perf_counter()
            node = layout.node(number, fit)
            job = node.job
            paths.extend(job.path(task) for task in job.fit.tasks)
            if not settings.fresh:
                job = job.without(known.stored(job))
                job = job.without(from_store(job))
            if job.fit.tasks:
                yield replace(node, job=job)
            else:
                display.finish(label, "stored", time.perf_counter() - began)

    for node, seconds in (crew or InOrder(settings, display, results)).carry_out(to_do()):
        job = node.job
        records = [known.read(job.path(task)) for task in job.fit.tasks]
        failed = [r.failure.reason for r in records if r.status == "failed" and r.failure]
        display.start(node.number, len(plan), job.fit.label)
        display.finish(job.fit.label, failed[0] if failed else "ok", seconds)
    return RecordFiles(paths)


@dataclass(frozen=True)
class InOrder:
    """One fit after the other, each in a process of its own that has the machine to itself."""

    settings: Settings
    display: Display
    results: Results | None = None

    def carry_out(self, nodes: Iterator[Node]) -> Iterator[tuple[Node, float]]:
        """See Crew."""
        settings, logs = self.settings, self.settings.out / "logs"
        prepared: dict[tuple[object, ...], str] = {(): ""}
        for node in nodes:
            began = time.perf_counter()
            if node.needs not in prepared:
                prepared[node.needs] = run_prepare(
                    node, settings.workers, logs, settings.limits, self._tell_of_rows
                )
            if failure := prepared[node.needs]:
                fail(node.job, failure, node.job.fit.tasks)
            else:
                run_fit(node, logs, settings.limits, self._tell)
            if self.results:
                try:
                    self.results.give(node.job)
                except UqbenchError as error:
                    self.display.note(f"{error} Other machines will run {node.job.fit.label} again.")
            yield node, time.perf_counter() - began

    def _tell_of_rows(self, message: str) -> None:
        match message.split():
            case [done, total] if done.isdecimal() and total.isdecimal():
                self.display.rows(int(done), int(total))
            case _:
                self._tell(message)

    def _tell(self, message: str) -> None:
        if message.startswith(NOTE):
            self.display.note(message.removeprefix(NOTE))
        else:
            self.display.step(message)
