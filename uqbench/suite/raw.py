"""Raw predictions as they are kept: enough to compute every score again without a model."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Prediction, Table
from uqbench.errors import UqbenchError
from uqbench.npz import read_npz
from uqbench.scores.calibrate import LEVELS

PARTS = ("calibration", "test", "held_out")
DTYPES = {
    **dict.fromkeys(("unit", "rule", "config_types"), "U"),
    **dict.fromkeys(("structure", "cluster", "fold", "part", "config_type"), "i"),
    **dict.fromkeys(("mean", "std", "lower", "upper", "reference", "energy_score"), "f"),
    **dict.fromkeys(("level_lower", "level_upper"), "f"),
    "nominal": "fi",
    "scored": "b",
}
"""Kinds of number that the arrays of a RawTable are made of."""


@dataclass(frozen=True)
class RawTable:
    """Predictions of one kind next to references, all folds and parts together; n observables.

    mean, reference: (n,). std, lower, upper: (n,) or empty where the method gives none; nominal is then 0.
    level_lower, level_upper: (n_levels, n), intervals at LEVELS where they do not follow from std as a
    Gaussian's, else empty; rule names how they came about. energy_score: (n,), of vectors of samples, repeated
    over their components, or empty. structure: (n,) index into the dataset. cluster, fold: (n,). part: (n,)
    index into PARTS. config_type: (n,) index into config_types. scored: (n,) bool, False where symmetry makes
    the component zero.
    """

    unit: NDArray[np.str_]
    mean: Array
    std: Array
    lower: Array
    upper: Array
    nominal: Array
    level_lower: Array
    level_upper: Array
    rule: NDArray[np.str_]
    energy_score: Array
    reference: Array
    structure: NDArray[np.int64]
    cluster: NDArray[np.int64]
    fold: NDArray[np.int64]
    part: NDArray[np.int64]
    config_type: NDArray[np.int64]
    config_types: NDArray[np.str_]
    scored: NDArray[np.bool_]

    def scored_in(self, part: str) -> NDArray[np.bool_]:
        """(n,) which entries of a part count."""
        return self.scored & (self.part == PARTS.index(part))

    def prediction(self, chosen: NDArray[np.bool_]) -> Prediction:
        """The chosen entries (n,) as a Prediction (samples are not kept)."""
        stated = len(self.lower) > 0
        return Prediction(
            self.mean[chosen],
            self.std[chosen] if len(self.std) else None,
            self.lower[chosen] if stated else None,
            self.upper[chosen] if stated else None,
            float(self.nominal) if stated else None,
        )

    def intervals(self, chosen: NDArray[np.bool_]) -> dict[float, tuple[Array, Array]]:
        """Intervals of the chosen entries by level, as the method gives them; none if it states bounds only."""
        if len(self.level_lower):
            return {
                level: (self.level_lower[i, chosen], self.level_upper[i, chosen])
                for i, level in enumerate(LEVELS)
            }
        prediction = self.prediction(chosen)
        found = {level: prediction.interval(level) for level in LEVELS}
        return {level: (i.lower, i.upper) for level, i in found.items() if i is not None}


@dataclass(frozen=True)
class Evaluated:
    """One task on one part of one fold: tables by kind, and the structures they speak of."""

    fold: int
    part: str
    frames: NDArray[np.int64]
    tables: Mapping[str, Table]


def collect(
    pieces: Sequence[Evaluated], config_types: Sequence[str], clusters: Sequence[int]
) -> dict[str, RawTable]:
    """Join the tables of all folds and parts, by kind. config_types, clusters: of every structure."""
    names, code = np.unique(np.array(config_types, dtype=str), return_inverse=True)
    cluster = np.array(clusters, dtype=np.int64)
    kinds = list(dict.fromkeys(kind for piece in pieces for kind in piece.tables))
    joined = {}
    for kind in kinds:
        own = [(piece, piece.tables[kind]) for piece in pieces if kind in piece.tables]
        prediction = Prediction.concatenate([t.prediction for _, t in own])
        structure = np.concatenate([piece.frames[t.structure] for piece, t in own])
        sizes = [len(t.reference) for _, t in own]
        reference = np.concatenate([t.reference for _, t in own])
        levels = _levels(prediction)
        joined[kind] = RawTable(
            unit=np.array(own[0][1].unit),
            mean=prediction.mean,
            std=_or_empty(prediction.std),
            lower=_or_empty(prediction.lower),
            upper=_or_empty(prediction.upper),
            nominal=np.array(prediction.nominal or 0.0),
            level_lower=levels[0],
            level_upper=levels[1],
            rule=levels[2],
            energy_score=_energy_score(prediction, reference, _vector_size(kind, structure)),
            reference=reference,
            structure=structure,
            cluster=cluster[structure],
            fold=np.repeat([piece.fold for piece, _ in own], sizes),
            part=np.repeat([PARTS.index(piece.part) for piece, _ in own], sizes),
            config_type=code[structure].astype(np.int64),
            config_types=names,
            scored=np.concatenate([t.scored for _, t in own]),
        )
    return joined


def _or_empty(values: Array | None) -> Array:
    return np.empty(0) if values is None else values


def _levels(prediction: Prediction) -> tuple[Array, Array, NDArray[np.str_]]:
    found = [i for level in LEVELS if (i := prediction.interval(level)) is not None]
    rules = np.array([i.rule for i in found] or ["stated bounds only"])
    if not found or set(rules) == {"gaussian"}:
        return np.empty((0, 0)), np.empty((0, 0)), rules
    return np.stack([i.lower for i in found]), np.stack([i.upper for i in found]), rules


def _vector_size(kind: str, structure: NDArray[np.int64]) -> int:
    """3 for forces that come as whole vectors, else 1."""
    if kind != "forces" or len(structure) % 3:
        return 1
    return 3 if (np.ptp(structure.reshape(-1, 3), axis=1) == 0).all() else 1


def _energy_score(prediction: Prediction, reference: Array, size: int) -> Array:
    if prediction.samples is None or not len(reference):
        return np.empty(0)
    from uqbench.scores.samples import energy_score

    return np.repeat(energy_score(prediction.samples, reference, size), size)


def to_npz(tables: Mapping[str, RawTable]) -> bytes:
    """Compressed npz, arrays named kind.field."""
    buffer = io.BytesIO()
    arrays = {f"{kind}.{f.name}": getattr(t, f.name) for kind, t in tables.items() for f in fields(RawTable)}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_npz(content: bytes, source: str) -> dict[str, RawTable]:
    """Read what to_npz wrote; raises UqbenchError naming the source if it is something else."""
    try:
        arrays = read_npz(content, source)
        kinds = list(dict.fromkeys(name.split(".")[0] for name in arrays))
        return {kind: _checked(kind, arrays) for kind in kinds}
    except (ValueError, KeyError, TypeError) as error:
        raise UqbenchError(
            f"{source} does not hold raw predictions of uqbench ({error}); run the cell again with --fresh."
        ) from None


def _checked(kind: str, arrays: Mapping[str, NDArray[Any]]) -> RawTable:
    """A table whose arrays fit together; raises ValueError or KeyError for any other."""
    found = {f.name: arrays[f"{kind}.{f.name}"] for f in fields(RawTable)}
    for name, dtypes in DTYPES.items():
        if found[name].dtype.kind not in dtypes:
            raise ValueError(f"{kind}.{name} has dtype {found[name].dtype}")
    n = len(found["mean"])
    for name, array in found.items():
        if name in ("unit", "nominal"):
            shapes: tuple[tuple[int, ...], ...] = ((),)
        elif name in ("level_lower", "level_upper"):
            shapes = ((len(LEVELS), n), (0, 0))
        elif name in ("std", "lower", "upper", "energy_score"):
            shapes = ((n,), (0,))
        elif name in ("rule", "config_types"):
            shapes = (array.shape[:1],)
        else:
            shapes = ((n,),)
        if array.shape not in shapes:
            raise ValueError(f"{kind}.{name} has shape {array.shape}, with {n} observables")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{kind}.{name} is not finite everywhere")
    for name, count in (("part", len(PARTS)), ("config_type", len(found["config_types"]))):
        if n and not 0 <= found[name].min() <= found[name].max() < count:
            raise ValueError(f"{kind}.{name} goes beyond the {count} there are")
    for name, other in (("lower", "upper"), ("level_lower", "level_upper")):
        if len(found[name]) != len(found[other]):
            raise ValueError(f"{kind}.{name} and {kind}.{other} are not of one length")
    return RawTable(**found)
