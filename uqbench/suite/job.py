"""What the process of a fit is given, and records of what is known before anything ran."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uqbench.api import Kind, Weights
from uqbench.backbones.store import Store
from uqbench.cost.machine import describe_machine, describe_software, machine_class
from uqbench.data.dataset import Dataset
from uqbench.data.split import Split
from uqbench.errors import UqbenchError
from uqbench.suite.plan import Fit
from uqbench.suite.record import SCHEMA_VERSION, CellPart, DataPart, FailurePart, Record, write_record

LONGEST_REASON, LONGEST_TRACEBACK = 2000, 20_000
"""Characters; an exception may hold a gigabyte."""


@dataclass(frozen=True)
class Job:
    """All that a process needs to carry out a fit.

    keys: content_key of each task's cell. trust: pickled files that the backbone names may be read. store: what
    several machines share of rows and networks. beside_others: other fits run on the machine, so its times don't rank.
    scales, weights: see LinearProblem.
    """

    fit: Fit
    dataset: Dataset
    split: Split
    scales: Mapping[Kind, float]
    keys: Mapping[str, str]
    plugins: tuple[Path, ...]
    cache: Path
    records: Path
    trust: bool = False
    store: Store | None = None
    beside_others: bool = False
    weights: Weights = "evidence"

    @property
    def networks(self) -> Path:
        """Folder of trained networks, beside the rows."""
        return self.cache.with_name("networks")

    def path(self, task: str) -> Path:
        """Where the record of a task goes."""
        return self.records / f"{self.fit.cell(task).file_stem}.json"

    def without(self, tasks: Collection[str]) -> Job:
        """The job with the other tasks alone: a fit that fails must not take records along that are there."""
        left = tuple(task for task in self.fit.tasks if task not in tasks)
        return replace(self, fit=replace(self.fit, tasks=left), keys={task: self.keys[task] for task in left})


def blank_record(job: Job, task: str, status: str, **fields: Any) -> Record:
    """A record of the task's cell with what is known before anything ran."""
    dataset, split = job.dataset, job.split
    machine = describe_machine()
    return Record(
        schema_version=SCHEMA_VERSION,
        cell_id=job.fit.cell(task).cell_id,
        content_key=job.keys[task],
        status=status,  # pyright: ignore[reportArgumentType]
        cell=CellPart(**vars(job.fit.cell(task))),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=DataPart(
            hash=dataset.data_hash,
            elements=list(dataset.elements),
            n_structures=len(dataset.frames),
            n_clusters=len({f.cluster for f in dataset.frames}),
            split_scheme=split.scheme,
            split_hash=split.hash,
            folds=[
                {part: len(getattr(fold, part)) for part in ("train", "calibration", "test", "held_out")}
                for fold in split.folds
            ],
            held_out=sorted({dataset.frames[i].config_type for f in split.folds for i in f.held_out}),
        ),
        scales={str(kind): scale for kind, scale in job.scales.items()},
        machine=machine,
        machine_class=machine_class(machine, job.fit.device),
        software=describe_software(),
        **fields,
    )


def write_failure(job: Job, task: str, reason: str, trace: str, status: str = "failed") -> None:
    """Record that a cell has no result: "failed" or "not applicable"."""
    record = blank_record(job, task, status, failure=failure_part(reason, trace))
    write_record(job.records, job.fit.cell(task).file_stem, record, None)


def failure_part(reason: str, trace: str) -> FailurePart:
    """Why there is no result, cut to what somebody would read."""
    return FailurePart(reason=reason[:LONGEST_REASON], traceback=trace[-LONGEST_TRACEBACK:])


def reason_of(error: BaseException) -> str:
    """A sentence for an exception."""
    return str(error) if isinstance(error, UqbenchError) else f"{type(error).__name__}: {error}"
