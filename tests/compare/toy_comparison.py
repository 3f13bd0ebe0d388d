"""Records made by hand, to be compared: forces of toy structures by methods whose widths and errors are known."""

from pathlib import Path

import numpy as np

from uqbench.api import Prediction, Table
from uqbench.suite.plan import Cell
from uqbench.suite.raw import Evaluated, RawTable, collect, to_npz
from uqbench.suite.record import CellPart, DataPart, FailurePart, PropertyPart, Record, write_record
from uqbench.suite.scoring import score_tables

N_CALIBRATION, PER_STRUCTURE = 40, 6
MACHINE = {"thread_pools": [{"library": "openblas", "version": "1", "threads": 2}]}


def cost(ratio: float = 1.5, spread: float = 0.02, memory: float = 2e8, busy: bool = False) -> dict:
    """What a run says of time and memory."""
    return {
        "predict": {
            "n_atoms": 30,
            "repeats": 7,
            "bare_us_per_atom": 1000.0,
            "predict_us_per_atom": 1000.0 * ratio,
            "ratio_to_bare": ratio,
            "ratio_quartiles": [ratio * (1 - spread), ratio * (1 + spread)],
        },
        "peak_resident_bytes": 1e8 + memory,
        "resident_bytes_before": 1e8,
        "contended": busy,
        "fit": [{"cpu_s": 1.0}, {"cpu_s": 1.1}, {"cpu_s": 0.9}],
    }


def tables(
    widened: float = 1.0, shift: float = 0.0, seed: int = 1, n_test: int = 60, stated: bool = True
) -> dict[str, RawTable]:
    """Forces with an envelope of 2 σ of the true σ, times widened; the mean is shifted by a share of σ."""
    rng = np.random.default_rng(seed)
    n = N_CALIBRATION + n_test
    structure = np.repeat(np.arange(n), PER_STRUCTURE)
    std = np.exp(rng.normal(-2.0, 0.7, n))[structure]
    reference = rng.normal(size=len(std))
    mean = reference - std * rng.standard_normal(len(std)) + shift * std
    half = 2.0 * widened * std
    bounds = (mean - half, mean + half, 0.95) if stated else (None, None, None)
    everything = Prediction(mean, widened * std, *bounds)
    pieces = []
    for part, chosen in (("calibration", structure < N_CALIBRATION), ("test", structure >= N_CALIBRATION)):
        frames = np.unique(structure[chosen])
        index = np.searchsorted(frames, structure[chosen])
        table = Table(
            "eV/Å", everything.take(chosen), reference[chosen], index, np.ones(len(index), dtype=bool)
        )
        pieces.append(Evaluated(0, part, frames, {"forces": table}))
    return collect(pieces, ["bulk"] * n, list(range(n)))


def record(method: str = "pops", task: str = "forces", dataset: str = "toy", **fields) -> Record:
    """A record without a result, unless fields say more."""
    cell = {
        "dataset": dataset,
        "backbone": "line",
        "method": method,
        "task": task,
        "train_size": 1.0,
        "seed": 0,
        "device": "cpu",
    }
    data = {
        "hash": "d" * 64,
        "elements": ["Al"],
        "n_structures": 100,
        "n_clusters": 100,
        "split_scheme": "by hand",
        "split_hash": "s" * 64,
        "folds": [],
        "held_out": [],
    } | fields.pop("data", {})
    return Record(
        **{
            "schema_version": 1,
            "cell_id": Cell(**cell).cell_id,
            "content_key": "key",
            "status": "ok",
            "cell": CellPart(**cell),
            "created": "2026-01-01T00:00:00+00:00",
            "data": DataPart(**data),
            "scales": {"forces": 0.1},
            "machine": MACHINE,
            "machine_class": "a machine",
            "software": {"numpy": "2"},
            "cost": cost(),
            **fields,
        }
    )


def write(folder: Path, made: Record, raw: dict[str, RawTable] | None = None, scored: bool = False) -> Path:
    """Into a folder, as a run does; the path of the record. Its scores are computed only where they matter."""
    stem = Cell(**made.cell.model_dump()).file_stem
    if raw is not None and scored:
        made = Record.model_validate({**made.model_dump(), **score_tables(raw)})
    write_record(folder, stem, made, to_npz(raw) if raw is not None else None)
    return folder / f"{stem}.json"


def failed(method: str, status: str = "failed", reason: str = "it broke", task: str = "forces") -> Record:
    """A record without a result."""
    return record(method, task, status=status, cost={}, failure=FailurePart(reason=reason, traceback=""))


def vacancy(**changes) -> PropertyPart:
    """A formation energy with bounds that hold its reference."""
    fields = {
        "name": "vacancy",
        "unit": "eV",
        "trained_on": "pool",
        "variant": "raw",
        "kappa": 1.0,
        "value": 0.7,
        "std": 0.05,
        "lower": 0.6,
        "upper": 0.8,
        "nominal": 1.0,
        "levels": {},
        "rule": "quantile",
        "exact": None,
        "corners": None,
        "compared_with": "vacancy",
        "reference": 0.75,
        "reference_error": 0.001,
        "protocol_known": True,
        "counts": {"samples": 100, "accepted": 100, "computed": 0, "unstable": 0, "not converged": 0},
        "reasons": [],
        "route": "by hand",
        "seconds": {"one": 1.0, "all": 2.0},
    }
    return PropertyPart(**{**fields, **changes})
