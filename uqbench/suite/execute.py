"""Runs a plan: what is stored is kept, what fails fails alone, and every cell ends in a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from uqbench.api import Backbone, Kind, LinearBackbone, LinearMethod, Origin
from uqbench.data.dataset import Dataset
from uqbench.data.split import Split, make_split
from uqbench.errors import UqbenchError
from uqbench.registry import Registry
from uqbench.suite.fit import prepare, run_job
from uqbench.suite.isolated import run_isolated
from uqbench.suite.job import Job, write_failure
from uqbench.suite.networks import NOTE
from uqbench.suite.plan import Fit, content_key, mismatch, source_hash
from uqbench.suite.record import Record, read_raw, read_record


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


@dataclass(frozen=True)
class Settings:
    """Where and how a plan is run. timeout: seconds a fit. workers: processes for design rows. trust: see Job."""

    out: Path
    cache: Path
    plugins: tuple[Path, ...]
    scales: Mapping[Kind, float]
    held_out: tuple[str, ...] | None
    timeout: float
    workers: int
    fresh: bool
    trust: bool = False

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
) -> tuple[list[Record], dict[str, str]]:
    """Run every fit whose result is not stored yet; the records of the plan, failed cells included.

    A dataset that cannot be loaded or split fails its own fits alone: these have no record, and the second
    value says why, by dataset. Design rows that cannot be computed, and networks that cannot be trained, fail the cells
    that need them.
    """
    datasets: dict[str, Dataset] = {}
    splits: dict[tuple[str, int, float], Split] = {}
    prepared: dict[tuple[object, ...], str] = {}
    unusable: dict[str, str] = {}
    records = []
    for number, fit in enumerate(plan, 1):
        display.start(number, len(plan), fit.label)
        began = time.perf_counter()
        part = (fit.dataset, fit.seed, fit.train_size)
        try:
            if fit.dataset not in unusable and part not in splits:
                if fit.dataset not in datasets:
                    display.step("reading")
                    datasets[fit.dataset] = load(fit.dataset)
                splits[part] = make_split(
                    datasets[fit.dataset], fit.seed, fit.train_size, held_out=settings.held_out
                )
        except UqbenchError as error:
            unusable[fit.dataset] = str(error)
        if fit.dataset in unusable:
            display.finish(fit.label, unusable[fit.dataset], time.perf_counter() - began)
            continue
        origins = fit.backbone.build(registry, "backbones").origins()
        named = replace(
            fit,
            known_as=datasets[fit.dataset].known_as,
            backbone_known_as=fit.backbone.text({o.given: o.known_as for o in origins}),
        )
        job = _job(named, datasets[fit.dataset], splits[part], settings, registry, origins)
        found = None if settings.fresh else _stored(job)
        outcome = "stored"
        if found is None:
            needed = _shared(fit, registry)
            if needed not in prepared:
                backbone = registry.backbones[fit.backbone.name]
                prepared[needed] = _prepare(job, backbone, settings, display) if needed else ""
            failure = prepared[needed] or _run_fit(job, settings, display)
            if failure:
                _fail_unwritten(job, failure, began=time.time() - (time.perf_counter() - began))
            found = [read_record(settings.records / f"{named.cell(t).file_stem}.json") for t in fit.tasks]
            failed = [r.failure.reason for r in found if r.status == "failed" and r.failure]
            outcome = failed[0] if failed else "ok"
        display.finish(fit.label, outcome, time.perf_counter() - began)
        records += found
    return records, unusable


def _job(
    fit: Fit,
    dataset: Dataset,
    split: Split,
    settings: Settings,
    registry: Registry,
    origins: Sequence[Origin],
) -> Job:
    shared = [registry.methods[fit.method.name], registry.backbones[fit.backbone.name]]
    keys = {
        task: content_key(
            fit.cell(task),
            dataset.data_hash,
            split.hash,
            source_hash([*shared, registry.tasks[task]], origins),
            {str(k): v for k, v in settings.scales.items()},
            dataset.card.energy_references or {} if dataset.card else {},
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
        settings.trust,
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
            if record.raw is not None:
                read_raw(job.records, record)
        except UqbenchError:
            return None
        found.append(record)
    return found


def _shared(fit: Fit, registry: Registry) -> tuple[object, ...]:
    """What names the rows or networks that a fit shares with others; empty if it shares none of them."""
    linear = issubclass(registry.methods[fit.method.name], LinearMethod)
    if not linear or mismatch(fit.method, fit.backbone, registry):
        return ()
    if issubclass(registry.backbones[fit.backbone.name], LinearBackbone):
        return (fit.dataset, fit.backbone)
    # Networks are those of the training parts of a split.
    return (fit.dataset, fit.backbone, fit.seed, fit.train_size, fit.device)


def _prepare(job: Job, backbone: type[Backbone], settings: Settings, display: Display) -> str:
    """What all linear methods on the backbone share, into the cache; why not, if that fails."""
    told = _told(display)

    def passed_on(message: str) -> None:
        match message.split():
            case [done, total] if done.isdecimal() and total.isdecimal():
                display.rows(int(done), int(total))
            case _:
                told(message)

    log = settings.out / "logs" / f"{job.fit.cell('rows').file_stem}.log"
    failure = run_isolated(prepare, (job, settings.workers), log, settings.timeout, passed_on)
    what = "design rows" if issubclass(backbone, LinearBackbone) else "networks"
    return f"{what}: {failure}" if failure else ""


def _told(display: Display) -> Callable[[str], None]:
    def told(message: str) -> None:
        if message.startswith(NOTE):
            display.note(message.removeprefix(NOTE))
        else:
            display.step(message)

    return told


def _run_fit(job: Job, settings: Settings, display: Display) -> str:
    """The fit and its tasks; why the process ended, if it did not end well."""
    log = settings.out / "logs" / f"{job.fit.cell('fit').file_stem}.log"
    return run_isolated(run_job, (job,), log, settings.timeout, _told(display))


def _fail_unwritten(job: Job, reason: str, began: float) -> None:
    """Record the failure for the tasks that have no record of this run."""
    for task in job.fit.tasks:
        path = job.records / f"{job.fit.cell(task).file_stem}.json"
        if not path.exists() or path.stat().st_mtime < began:
            write_failure(job, task, reason.splitlines()[0], reason)
