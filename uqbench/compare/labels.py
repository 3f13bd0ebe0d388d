"""Are the labels in raw predictions those of the dataset? Scores follow from made-up ones as well as from true ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Kind
from uqbench.data.dataset import Dataset
from uqbench.data.split import Split, make_split
from uqbench.errors import UqbenchError
from uqbench.suite.raw import PARTS, RawTable
from uqbench.suite.record import Record

TASK = "forces"
"""The task whose labels are those of the frames; another's are known to its plugin alone."""
RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""Difference of labels that is rounding."""


@dataclass(frozen=True)
class _Rows:
    """What the rows of one part of one fold must hold; all (n,)."""

    structure: NDArray[np.int64]
    cluster: NDArray[np.int64]
    scored: NDArray[np.bool_]
    reference: Array


def wrong_labels(record: Record, tables: Mapping[str, RawTable], dataset: Dataset) -> list[str]:
    """How split, structures and labels of a record differ from those of its dataset, naming the field."""
    cell, data = record.cell, record.data
    try:
        split = make_split(dataset, cell.seed, cell.train_size, held_out=data.held_out)
    except UqbenchError as error:
        return [f"data.held_out is {data.held_out}: {error}"]
    if split.hash != data.split_hash:
        return [
            f"data.split_hash is {data.split_hash[:12]}, made again for seed {cell.seed}, train size "
            f"{cell.train_size:g} and held_out {data.held_out} it is {split.hash[:12]}; run the cell again"
        ]
    if cell.task != TASK:
        return []
    unknown = [kind for kind in tables if kind not in get_args(Kind)]
    if unknown:
        return [f"raw predictions of {unknown[0]}: the task {TASK} has no such kind; run the cell again"]
    return [
        f"raw predictions of {kind}: {text}; run the cell again on the dataset as it is"
        for kind, table in tables.items()
        for text in _differences(table, kind, dataset, split)  # pyright: ignore[reportArgumentType]
    ]


def _differences(table: RawTable, kind: Kind, dataset: Dataset, split: Split) -> Iterator[str]:
    folds = set(np.unique(table.fold).tolist())
    if not folds <= set(range(len(split.folds))):
        yield f"fold goes beyond the {len(split.folds)} of the split"
        return
    names = np.array([frame.config_type for frame in dataset.frames])
    for number, fold in enumerate(split.folds):
        for code, part in enumerate(PARTS):
            expected = _expected(kind, dataset, getattr(fold, part))
            here = (table.fold == number) & (table.part == code)
            where = f"({part}, fold {number})"
            for field in ("structure", "cluster", "scored"):
                if not np.array_equal(getattr(table, field)[here], getattr(expected, field)):
                    yield f"{field} {where} is not that of the dataset and its split"
                    return
            if not np.array_equal(table.config_types[table.config_type[here]], names[expected.structure]):
                yield f"config_type {where} is not that of the dataset"
                return
            given = table.reference[here]
            other = ~np.isclose(given, expected.reference, rtol=RELATIVE, atol=ABSOLUTE)
            if other.any():
                i = int(np.flatnonzero(other)[0])
                yield (
                    f"reference {where} is {given[i]:.9g} for structure {expected.structure[i]}, and the dataset has "
                    f"{expected.reference[i]:.9g} ({int(other.sum())} of {len(given)} differ)"
                )
                return


def _expected(kind: Kind, dataset: Dataset, frames: NDArray[np.int64]) -> _Rows:
    labelled = [
        (i, frame, labels)
        for i in frames
        if (labels := (frame := dataset.frames[i]).labels(kind)) is not None
    ]
    sizes = [len(labels) for _, _, labels in labelled]
    return _Rows(
        np.repeat(np.array([i for i, _, _ in labelled], dtype=np.int64), sizes),
        np.repeat(np.array([frame.cluster for _, frame, _ in labelled], dtype=np.int64), sizes),
        np.concatenate([frame.free(kind) for _, frame, _ in labelled] or [np.empty(0, dtype=bool)]),
        np.concatenate([labels for _, _, labels in labelled] or [np.empty(0)]),
    )
