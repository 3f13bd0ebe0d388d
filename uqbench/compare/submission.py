"""Are records what they say? Schema, data, split, labels, and scores computed again from the raw predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from uqbench.compare.cost_check import cost_problem
from uqbench.compare.faults import no_verdict
from uqbench.compare.labels import wrong_labels
from uqbench.compare.side import Entry, read_side
from uqbench.data.dataset import Dataset
from uqbench.errors import UqbenchError
from uqbench.report.verify import TOLERANCE, stored_calibrations, verified
from uqbench.suite.record import Record
from uqbench.suite.scoring import score_tables

SMALLEST = 1e-12
"""Absolute difference below which rounding alone makes scores near zero differ."""


def check_records(folder: Path, write: Callable[[str], None]) -> int:
    """Check every record of a folder, one line each that is wrong, and a summary. Gives how many are wrong.

    Data that is not on this machine is said and not counted. Raises UqbenchError if the folder holds no records.
    """
    import scipy.optimize  # noqa: F401
    from threadpoolctl import threadpool_limits

    side = read_side(folder)
    wrong = dict(side.problems)
    unreachable: dict[str, str] = {}
    dataset_of = cache(_dataset)
    with no_verdict("the records could not be checked"), threadpool_limits(1):
        for entry in side.entries.values():
            record = entry.record
            problems = [*_wrong_status(record), *_wrong_scores(entry)]
            if record.status == "ok" and (wrong_cost := cost_problem(record)):
                problems.append(wrong_cost)
            dataset, reason = dataset_of(record.cell.dataset)
            if dataset is None:
                unreachable[record.cell.dataset] = reason
            else:
                problems += _wrong_data(entry, dataset)
            if problems:
                more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
                wrong[f"{entry.path.name}, {record.cell_id}"] = problems[0] + more
    for name, reason in wrong.items():
        write(f"wrong: {name}: {reason}")
    for name, reason in unreachable.items():
        write(f"not checked: hash, split and labels of dataset {name}: {reason}")
    scored = sum(entry.record.raw is not None for entry in side.entries.values())
    write(
        f"{len(side.entries) + len(side.problems)} records, {len(wrong)} wrong; scores of {scored} computed again "
        f"to {TOLERANCE:g}."
    )
    return len(wrong)


def _wrong_data(entry: Entry, dataset: Dataset) -> list[str]:
    """How a record's data differs from the dataset as it is here."""
    record = entry.record
    if dataset.data_hash != record.data.hash:
        return [
            f"data.hash is {record.data.hash[:12]}, dataset {record.cell.dataset} here has {dataset.data_hash[:12]}; "
            "run the cell again on the dataset as it is"
        ]
    try:
        tables = entry.tables() if record.raw is not None else {}
    except UqbenchError:
        # Said already, where its scores are computed again.
        return []
    return wrong_labels(record, tables, dataset)


def _dataset(name: str) -> tuple[Dataset | None, str]:
    """A dataset as it is on this machine, else why there is none. Nothing is downloaded."""
    from uqbench.data.catalog import dataset_names
    from uqbench.suite.datasets import MATERIAL, load
    from uqbench.suite.run import default_cache

    # A name that a record makes up must not open files.
    if name not in dataset_names() and not MATERIAL.fullmatch(name):
        return None, "it is in no catalogue here"
    try:
        return load(name, default_cache()), ""
    except UqbenchError as error:
        return None, str(error)


def _wrong_status(record: Record) -> Iterator[str]:
    """A status that does not go with what the record holds."""
    if record.status == "ok" and record.failure is not None:
        yield "status is ok, and failure is given; run the cell again"
    if record.status == "ok" and record.raw is None and not record.properties:
        yield "status is ok, and there are neither raw predictions nor properties; run the cell again"
    if record.status != "ok" and record.failure is None:
        yield f"status is {record.status}, and failure does not say why; run the cell again"
    if record.raw is None and record.scores:
        yield "there are scores without raw predictions from which they follow; run the cell again"


def _wrong_scores(entry: Entry) -> list[str]:
    """How scores differ from those of the raw predictions: from their definitions, and from the bootstrap too."""
    if entry.record.raw is None:
        return []
    try:
        tables = entry.tables()
        calibrations = {kind: (stored_calibrations(entry.record, kind), "") for kind in tables}
        found = score_tables(tables, calibrations)
        _, from_definitions = verified(entry.record, tables)
    except UqbenchError as error:
        return [str(error)]
    stored = entry.record.model_dump()
    differences = [
        f"{'.'.join(path)} is {was}, recomputed {now}"
        for part in ("scores", "groups", "symmetry")
        for path, was, now in unequal(stored[part], found[part], (part,))
    ]
    return differences or from_definitions


def unequal(
    stored: Any, found: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """Leaves of two trees of plain values that are not the same number, or are in one of them only."""
    if isinstance(stored, Mapping) and isinstance(found, Mapping):
        for key in sorted({*stored, *found}):
            yield from unequal(stored.get(key), found.get(key), (*path, str(key)))
    elif isinstance(stored, (int, float)) and isinstance(found, (int, float)):
        if not math.isclose(stored, found, rel_tol=TOLERANCE, abs_tol=SMALLEST):
            yield path, stored, found
    elif stored != found:
        yield path, stored, found
