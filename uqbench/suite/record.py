"""The record of one cell: JSON with a published schema beside an npz of raw predictions, written atomically."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from uqbench.atomic import replacing, write_atomically
from uqbench.errors import UqbenchError
from uqbench.limits import read_at_most
from uqbench.suite.raw import RawTable, from_npz
from uqbench.suite.secrets import without_secrets

SCHEMA_VERSION = 1
RECORD_BYTES, RAW_BYTES = 1 << 26, 1 << 30
"""Most that is read of a record, and of raw predictions: a thousand times what they have."""
WORDS = ("failure", "facts", "reasons", "properties")
"""Fields with words of a plugin's own."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CellPart(_Part):
    """What was asked."""

    dataset: str
    backbone: str
    method: str
    task: str
    train_size: float
    seed: int
    device: str


class DataPart(_Part):
    """What it was fitted and scored on; indices are those of the dataset's frames."""

    hash: str
    elements: list[str]
    n_structures: int
    n_clusters: int
    split_scheme: str
    split_hash: str
    folds: list[dict[str, int]]
    held_out: list[str]


class RawPart(_Part):
    """The file of raw predictions beside the record."""

    file: str
    sha256: str

    @field_validator("file")
    @classmethod
    def _stays_beside(cls, name: str) -> str:
        if Path(name).name != name or name == ".." or "\\" in name or "\0" in name:
            raise ValueError("the name of a file beside the record is needed")
        return name


class FailurePart(_Part):
    """Why there is no result."""

    reason: str
    traceback: str


class ScorePart(_Part):
    """A score and its 95 % cluster-bootstrap interval, if it has one."""

    value: float
    low: float | None
    high: float | None


Range = tuple[float, float]


class PropertyPart(_Part):
    """A simulation result with what the method says of it, beside its reference.

    trained_on: "pool", or the pool without a group. variant: "raw", or "kappa": the posterior scaled about its mean
    by kappa. value: of the mean coefficients or members. lower, upper: the bounds that the method states with the
    probability nominal, else its 95 % interval. levels: its intervals by level; rule names how they came about.
    exact: bounds of what is linear in the coefficients. corners: over the samples and the ends of the bounded
    posterior along ± the gradient. compared_with: name of the reference. protocol_known: the card says how it was
    computed. counts: samples by fate. seconds: of all samples, and of one real computation.
    """

    name: str
    unit: str
    trained_on: str
    variant: Literal["raw", "kappa"]
    kappa: float
    value: float | None
    std: float | None
    lower: float | None
    upper: float | None
    nominal: float | None
    levels: dict[str, Range]
    rule: str
    exact: Range | None
    corners: Range | None
    compared_with: str
    reference: float | None
    reference_error: float | None
    protocol_known: bool
    counts: dict[str, int]
    reasons: list[str]
    route: str
    seconds: dict[str, float]


class Record(_Part):
    """One cell's result. Scores follow from the raw predictions (uqbench.suite.scoring); costs do not."""

    schema_version: Literal[1]
    cell_id: str
    content_key: str
    status: Literal["ok", "failed", "not applicable"]
    cell: CellPart
    created: str
    data: DataPart
    scales: dict[str, float]
    references: list[dict[str, float]] = []
    facts: list[dict[str, float | str]] = []
    scores: dict[str, dict[str, dict[str, dict[str, ScorePart]]]] = {}
    reasons: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    groups: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {}
    calibration: dict[str, dict[str, dict[str, Any]]] = {}
    symmetry: dict[str, dict[str, int]] = {}
    properties: list[PropertyPart] = []
    cost: dict[str, Any] = {}
    machine: dict[str, Any]
    machine_class: str
    software: dict[str, str]
    raw: RawPart | None = None
    failure: FailurePart | None = None


def make_folder(path: Path) -> None:
    """Make a folder for results; raises UqbenchError if nothing can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UqbenchError(
            f"results cannot be written to {path}: {error.strerror or error}; choose another folder with --out."
        ) from None


def write_record(folder: Path, stem: str, record: Record, raw: bytes | None) -> None:
    """Raw predictions first, then the record that names them by hash: a record never speaks of what is not there.

    The record's place is taken before either, so that two runs never leave the record of one with the predictions of
    the other. Secrets of the environment are hidden where a plugin has words of its own. Raises UqbenchError for
    numbers that are not finite, which a record cannot hold, and where the disk refuses.
    """
    if raw is not None:
        record = record.model_copy(
            update={"raw": RawPart(file=f"{stem}.npz", sha256=hashlib.sha256(raw).hexdigest())}
        )
    words = record.model_dump(include=set(WORDS))
    hidden = without_secrets(words, os.environ)
    if hidden != words:
        record = Record.model_validate({**record.model_dump(), **hidden})
    content = record.model_dump_json(indent=1).encode()
    _require_readable(content)
    with replacing(folder / f"{stem}.json") as file:
        if record.raw is not None and raw is not None:
            write_atomically(folder / record.raw.file, raw)
        file.write(content)


def _require_readable(content: bytes) -> None:
    try:
        Record.model_validate_json(content)
    except ValidationError as error:
        where = ".".join(str(p) for p in error.errors()[0]["loc"])
        raise UqbenchError(
            f"{where} is not finite, which a record cannot hold: predictions are too large to be scored."
        ) from None


def read_record(path: Path) -> Record:
    """Read and check one record; raises UqbenchError naming the file, the field and the remedy."""
    return parse_record(read_at_most(path, RECORD_BYTES, "record"), f"record {path}")


def parse_record(content: bytes, source: str) -> Record:
    """Check one record; raises UqbenchError naming the source, the field and the remedy."""
    try:
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "the file"
        raise UqbenchError(
            f"{source}: {where}: {first['msg']} (schema version {SCHEMA_VERSION}). Delete it and run the cell again."
        ) from None


def read_raw(folder: Path, record: Record) -> dict[str, RawTable]:
    """Raw predictions of a record, by kind; raises UqbenchError if they are missing or altered."""
    if record.raw is None:
        raise UqbenchError(f"record {record.cell_id} has no raw predictions (status: {record.status}).")
    path = folder / record.raw.file
    content = read_at_most(path, RAW_BYTES, "raw predictions")
    found = hashlib.sha256(content).hexdigest()
    if found != record.raw.sha256:
        raise UqbenchError(
            f"raw predictions {path} have sha256 {found}, but the record says {record.raw.sha256}; "
            "they were altered or belong to another run. Delete the record and run the cell again."
        )
    return from_npz(content, str(path))


def read_records(folder: Path) -> list[Record]:
    """All records of a folder and its bundles, in the order of file names; raises UqbenchError if there is none."""
    from uqbench.suite.bundle import SUFFIX, read_bundle  # which takes the record from here

    records = [read_record(path) for path in sorted(folder.glob("*.json"))]
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        records += read_bundle(path)
    if not records:
        raise UqbenchError(
            f"{folder} holds no records (*.json, *{SUFFIX}); run `python -m uqbench run --out ...` first."
        )
    return records
