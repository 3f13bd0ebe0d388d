"""Predictions that a user brings in a file, scored like any method's: no plugin, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uqbench.api import KINDS, UNITS, Array, Kind, Prediction, Table
from uqbench.data.dataset import load_dataset
from uqbench.data.read import Keys, RawFrame, read_frames
from uqbench.errors import UqbenchError
from uqbench.limits import read_at_most
from uqbench.npz import MOST_BYTES, read_npz
from uqbench.suite.raw import Evaluated, RawTable, collect

FIELDS = ("mean", "std", "lower", "upper", "samples")


def read_brought(
    path: Path, calibration: Path | None, nominal: float | None, keys: Keys | None
) -> dict[str, RawTable]:
    """Predictions and labels of a test set, and of a calibration set if there is one, ready for score_tables.

    NumPy archive (.npz): for each kind (any name) KIND_mean and KIND_observed, (n,); at least one of KIND_std,
    (n,), KIND_lower with KIND_upper, (n,), KIND_samples, (m, n); optional KIND_cluster, (n,), which observations
    belong together (default: none do), and KIND_unit.
    Extended XYZ: labels as in training data; predictions of the total energy (eV) in the comment line as
    energy_mean, energy_std, ..., energy_samples (m,); of forces as columns forces_mean (3), forces_std (3), ...,
    forces_samples (3 m: x y z of the first member, then of the second); of stress (eV/Å³) as of energy, 6 Voigt
    components or 9, stress_samples 6 m Voigt components.
    Clusters and components that are zero by symmetry are found as for any dataset.
    nominal: the probability claimed for lower and upper; needed if they are there.
    Raises UqbenchError naming file, field, value and remedy.
    """
    test = _read(path, nominal, keys)
    pieces = [("test", test)]
    if calibration is not None:
        pieces.append(("calibration", _read(calibration, nominal, keys)))
    evaluated, config_types, clusters = [], [], []
    for part, (tables, types, cluster) in pieces:
        index = np.arange(len(types), dtype=np.int64) + len(config_types)
        first = max(clusters, default=-1) + 1
        evaluated.append(Evaluated(0, part, index, tables))
        config_types += types
        clusters += [first + int(c) for c in cluster]
    _check_alike(path, calibration, [piece.tables for piece in evaluated])
    return collect(evaluated, config_types, clusters)


def _check_alike(path: Path, calibration: Path | None, tables: Sequence[Mapping[str, Table]]) -> None:
    """A calibration set has the same kinds and fields as the test set."""
    if calibration is None:
        return
    given = [
        {kind: [f for f in FIELDS if getattr(t.prediction, f) is not None] for kind, t in part.items()}
        for part in tables
    ]
    if given[0] != given[1]:
        raise UqbenchError(
            f"{calibration}: it holds {given[1]}, while {path} holds {given[0]}; give both the same kinds and fields."
        )


Content = tuple[Mapping[str, Table], list[str], Sequence[int]]


def _read(path: Path, nominal: float | None, keys: Keys | None) -> Content:
    if not path.is_file():
        raise UqbenchError(f"{path}: no such file.")
    return _read_npz(path, nominal) if path.suffix == ".npz" else _read_structures(path, nominal, keys)


def _read_npz(path: Path, nominal: float | None) -> Content:
    arrays = read_npz(read_at_most(path, MOST_BYTES, "predictions"), str(path))
    kinds = [name.removesuffix("_mean") for name in arrays if name.endswith("_mean")]
    if not kinds:
        raise UqbenchError(
            f"{path}: no array is named KIND_mean (found: {', '.join(arrays) or 'none'}). For energies, store "
            "energy_mean, energy_observed and energy_std."
        )
    tables, clusters = {}, []
    for kind in kinds:
        if f"{kind}_observed" not in arrays:
            raise UqbenchError(f"{path}: {kind}_mean is there, {kind}_observed (the labels) is not.")
        names = {f: f"{kind}_{f}" for f in FIELDS if f"{kind}_{f}" in arrays}
        given = {f: _real(arrays[name], f"{path}: {name}") for f, name in names.items()}
        prediction = _prediction(given, nominal, f"{path}, {kind}")
        observed = _real(arrays[f"{kind}_observed"], f"{path}: {kind}_observed")
        group = arrays.get(f"{kind}_cluster", np.arange(observed.size).reshape(observed.shape))
        for name, array in (("observed", observed), ("cluster", group)):
            if array.shape != prediction.mean.shape:
                raise UqbenchError(
                    f"{path}: {kind}_{name} has shape {array.shape}; {prediction.mean.shape} is needed, as "
                    f"{kind}_mean."
                )
        if not len(observed):
            raise UqbenchError(f"{path}: {kind}_mean is empty; there is nothing to score.")
        if not np.isfinite(observed).all():
            raise UqbenchError(f"{path}: {kind}_observed holds numbers that are not finite.")
        _, member = np.unique(group, return_inverse=True)
        structure = member.astype(np.int64) + len(clusters)
        clusters += list(range(len(clusters), len(clusters) + int(member.max(initial=-1)) + 1))
        unit = str(arrays.get(f"{kind}_unit", UNITS.get(kind, "")))  # pyright: ignore[reportArgumentType, reportCallIssue]
        tables[kind] = Table(unit, prediction, observed, structure, np.ones(len(observed), dtype=bool))
    return tables, ["all"] * len(clusters), clusters


def _read_structures(path: Path, nominal: float | None, keys: Keys | None) -> Content:
    frames = load_dataset(path, keys=keys).frames
    raw = read_frames(path, keys)
    tables = {}
    for kind in KINDS:
        if not any(f"{kind}_mean" in r.info for r in raw):
            continue
        here = [i for i, f in enumerate(frames) if f.labels(kind) is not None]
        if not here:
            raise UqbenchError(f"{path}: {kind}_mean is there, but no frame has a label {kind}.")
        fields = [f for f in FIELDS if f"{kind}_{f}" in raw[here[0]].info]
        given = {f: _joined([_flat(raw[i], kind, f) for i in here], f"{path}: {kind}_{f}") for f in fields}
        labels = [frames[i].labels(kind) for i in here]
        prediction = _prediction(given, nominal, f"{path}, {kind}")
        observed = np.concatenate([v for v in labels if v is not None])
        if len(prediction) != len(observed):
            raise UqbenchError(
                f"{path}: there are {len(prediction)} predictions of {kind} for {len(observed)} labels; give one each."
            )
        tables[kind] = Table(
            UNITS[kind],
            prediction,
            observed,
            np.repeat(here, [len(v) for v in labels if v is not None]).astype(np.int64),
            np.concatenate([frames[i].free(kind) for i in here]),
        )
    if not tables:
        raise UqbenchError(
            f"{path}: no predictions are there (energy_mean, forces_mean or stress_mean). Write them beside the "
            "labels, or bring a .npz file."
        )
    return tables, [f.config_type for f in frames], [f.cluster for f in frames]


def _joined(parts: Sequence[Array], where: str) -> Array:
    """Values of all frames, (n,), or samples, (m, n)."""
    if len({part.shape[:-1] for part in parts}) > 1:
        raise UqbenchError(
            f"{where} has not the same number of samples in all frames; give as many for each."
        )
    return np.concatenate(parts, axis=-1)


def _flat(raw: RawFrame, kind: Kind, field: str) -> Array:
    """One frame's values (n,), or samples (m, n), in the order and unit of Predictions."""
    name = f"{kind}_{field}"
    if name not in raw.info:
        raise UqbenchError(f"{raw.source}: no {name}, which other frames have; give it for all or for none.")
    values = _real(raw.info[name], f"{raw.source}: {name}")
    n_atoms = len(raw.atoms)
    if kind == "energy":
        values = values.reshape(-1, 1) if field == "samples" else values.reshape(-1)
        return values / n_atoms
    if kind == "stress":
        return _voigt(values, field == "samples", name, raw.source)
    if field == "samples":
        _need(values.ndim == 2 and values.shape[1] % 3 == 0, values, "(n_atoms, 3 m)", name, raw.source)
        return values.reshape(n_atoms, -1, 3).transpose(1, 0, 2).reshape(-1, 3 * n_atoms)
    _need(values.shape == (n_atoms, 3), values, f"({n_atoms}, 3)", name, raw.source)
    return values.ravel()


def _real(values: object, where: str) -> Array:
    found = np.asarray(values)
    if found.dtype.kind not in "fiu":
        raise UqbenchError(f"{where} is {str(values)[:40]!r}; real numbers are needed.")
    return found.astype(np.float64)


def _voigt(values: Array, several: bool, name: str, source: str) -> Array:
    """(6,) from Voigt components or a 3 × 3 matrix; samples, (m, 6), from 6 m Voigt components."""
    if several:
        _need(values.size % 6 == 0, values, "(6 m,)", name, source)
        return values.reshape(-1, 6)
    _need(values.size in (6, 9), values, "(6,) or (3, 3)", name, source)
    return values.ravel() if values.size == 6 else values.ravel()[[0, 4, 8, 5, 2, 1]]


def _need(holds: bool, values: NDArray[np.float64], shape: str, name: str, source: str) -> None:
    if not holds:
        raise UqbenchError(f"{source}: {name} has shape {values.shape}; {shape} is needed.")


def _prediction(given: Mapping[str, Array], nominal: float | None, where: str) -> Prediction:
    if "mean" not in given:
        raise UqbenchError(
            f"{where}: there is no mean, which other frames have; give it for all or for none."
        )
    if not {"std", "lower", "samples"} & set(given):
        raise UqbenchError(
            f"{where}: only a mean is there; give std, lower and upper, or samples to be scored."
        )
    if "lower" in given and nominal is None:
        raise UqbenchError(
            f"{where}: bounds are there; say with --nominal what probability they claim (1 for an envelope)."
        )
    given = dict(given)
    if "samples" in given and "std" not in given:
        samples = given["samples"]
        if samples.ndim != 2 or len(samples) < 2:
            raise UqbenchError(f"{where}: samples have shape {samples.shape}; (m, n) with m >= 2 is needed.")
        given["std"] = samples.std(axis=0, ddof=1)
    try:
        return Prediction(**given, nominal=nominal if "lower" in given else None)
    except UqbenchError as error:
        raise UqbenchError(f"{where}: {error}") from None
