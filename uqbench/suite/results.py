"""Records in a store that several machines share: known by the key of their content, whoever made them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from uqbench.backbones.store import Store
from uqbench.errors import UqbenchError
from uqbench.suite.job import Job
from uqbench.suite.record import Record, parse_record, read_record, write_record


@dataclass(frozen=True)
class Results:
    """Records of a store as they were when it was first asked: records/KEY.json, and raw/SHA256.npz they name."""

    store: Store

    @cached_property
    def _known(self) -> set[str]:
        return set(self.store.list("records/"))

    def take(self, job: Job) -> set[str]:
        """The tasks whose records are in the store, whole and no failure, and now in the job's folder."""
        return {task for task, key in job.keys.items() if _name(key) in self._known and self._take(job, task)}

    def _take(self, job: Job, task: str) -> bool:
        name = _name(job.keys[task])
        content = self.store.get(name)
        try:
            record = parse_record(content or b"", f"record {name} of the store")
        except UqbenchError:
            return False
        if record.content_key != job.keys[task] or record.status == "failed":
            return False
        raw = take_raw(self.store, record)
        if record.raw is not None and raw is None:
            return False
        write_record(job.records, job.fit.cell(task).file_stem, record, raw)
        return True

    def give(self, job: Job) -> None:
        """Put the job's records there, raw predictions before the record that names them; failures stay out."""
        for task, key in job.keys.items():
            record = read_record(path := job.path(task))
            if record.status == "failed":
                continue
            if record.raw is not None:
                self.store.send(job.records / record.raw.file, raw_name(record.raw.sha256))
            self.store.send(path, _name(key))


def take_raw(store: Store, record: Record) -> bytes | None:
    """A record's raw predictions; None if it has none, or they are missing or altered."""
    if record.raw is None:
        return None
    content = store.get(raw_name(record.raw.sha256))
    if content is None or hashlib.sha256(content).hexdigest() != record.raw.sha256:
        return None
    return content


def raw_name(sha256: str) -> str:
    """Name of raw predictions in a store."""
    return f"raw/{sha256}.npz"


def _name(content_key: str) -> str:
    return f"records/{content_key}.json"
