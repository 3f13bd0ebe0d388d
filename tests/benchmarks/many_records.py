"""Folders of thousands of records: simulation results in a bundle, and records with raw predictions of their own."""

import hashlib
from pathlib import Path

import numpy as np

from uqbench.suite.bundle import write_bundle
from uqbench.suite.raw import to_npz
from uqbench.suite.record import RawPart, Record

METHODS = 10
SEEDS = 5


def write_many(folder: Path, n_raw: int, n_bundled: int, raw: Record, tables, bundled: Record) -> None:
    """n_raw copies of a record with predictions and n_bundled of one with properties, each of a cell of its own.

    METHODS methods times SEEDS seeds on as many datasets as it takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = to_npz(tables)
    part = RawPart(file="shared.npz", sha256=hashlib.sha256(content).hexdigest())
    (folder / part.file).write_bytes(content)
    for number in range(n_raw):
        record = _cell(raw, number).model_copy(update={"raw": part})
        (folder / f"record{number:05d}.json").write_bytes(record.model_dump_json().encode())
    if n_bundled:
        rng = np.random.default_rng(0)
        write_bundle([_moved(_cell(bundled, n), rng) for n in range(n_bundled)], folder / "many.jsonl.xz")


def _cell(record: Record, number: int) -> Record:
    method, rest = number % METHODS, number // METHODS
    seed, dataset = rest % SEEDS, rest // SEEDS
    update = {"method": f"method{method}", "seed": seed, "dataset": f"material_{dataset:03d}"}
    cell = record.cell.model_copy(update=update)
    data = record.data.model_copy(update={"split_hash": f"split{seed}", "hash": f"data{dataset}"})
    name = f"{cell.dataset}/{cell.method}/{cell.task}/{seed}"
    return record.model_copy(update={"cell": cell, "data": data, "cell_id": name})


def _moved(record: Record, rng: np.random.Generator) -> Record:
    """Values of its properties moved within their bounds."""
    parts = [
        part.model_copy(update={"value": float(rng.uniform(part.lower, part.upper))})
        for part in record.properties
    ]
    return record.model_copy(update={"properties": parts})
