"""From labelled frames and their design rows to a LinearProblem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, Array, Frame, Kind, LinearProblem, RowBlock, Weights
from uqbench.errors import UqbenchError
from uqbench.linear.references import reference_energy

BLOCK_BYTES = 4 << 20
"""Rows of a block: few enough to stay in cache, enough for matrix products to run at full speed."""


def build_problem(
    frames: Sequence[Frame],
    rows_of: Callable[[int], Array],
    scales: Mapping[Kind, float],
    references: Mapping[str, float],
    device: str = "cpu",
    weights: Weights = "evidence",
) -> LinearProblem:
    """The regression of labels on design rows.

    rows_of(i): rows of frame i as LinearBackbone.rows gives them. scales: σ_k in the unit of each kind.
    references: energy of each element (eV), taken off the energy labels. device, weights: see
    LinearProblem.
    Raises UqbenchError if no frame has a label.
    """
    counts: dict[Kind, int] = {k: n for k in KINDS if (n := _count(frames, k))}
    if not counts:
        raise UqbenchError(f"none of the {len(frames)} training frames has an energy, forces or a stress.")
    n_features = rows_of(0).shape[1]

    def read() -> Iterator[RowBlock]:
        budget = max(1, BLOCK_BYTES // (8 * n_features))
        chunk: list[int] = []
        size = 0
        for i, frame in enumerate(frames):
            if not any(_count([frame], kind) for kind in KINDS):
                continue
            chunk.append(i)
            size += 7 + 3 * len(frame.atoms)
            if size >= budget:
                yield _block(chunk, frames, rows_of, scales, references)
                chunk, size = [], 0
        if chunk:
            yield _block(chunk, frames, rows_of, scales, references)

    clusters = np.unique(np.array([f.cluster for f in frames], dtype=np.int32))
    return LinearProblem(n_features, counts, dict(scales), clusters, read, device, weights)


def _count(frames: Sequence[Frame], kind: Kind) -> int:
    return sum(int(f.free(kind).sum()) for f in frames if f.labels(kind) is not None)


def _block(
    chunk: Sequence[int],
    frames: Sequence[Frame],
    rows_of: Callable[[int], Array],
    scales: Mapping[Kind, float],
    references: Mapping[str, float],
) -> RowBlock:
    rows: list[Array] = []
    labels: list[Array] = []
    meta: list[NDArray[np.int64]] = []
    for k, kind in enumerate(KINDS):
        for i in chunk:
            frame = frames[i]
            values = frame.labels(kind)
            if values is None:
                continue
            if kind == "energy":
                values = values - reference_energy(frame.atoms, references)
            keep = np.flatnonzero(frame.free(kind))
            start = {"energy": 0, "forces": 1, "stress": 1 + 3 * len(frame.atoms)}[kind]
            rows.append(rows_of(i)[start + keep] / scales[kind])
            labels.append(values[keep] / scales[kind])
            atom = keep // 3 if kind == "forces" else np.full(len(keep), -1)
            meta.append(np.stack([np.full(len(keep), k), atom, np.full(len(keep), i)]))
    kind_index, atom, structure = np.concatenate(meta, axis=1).astype(np.int32)
    cluster = np.array([f.cluster for f in frames], dtype=np.int32)[structure]
    return RowBlock(
        np.concatenate(rows), np.concatenate(labels), kind_index.astype(np.int8), atom, structure, cluster
    )
