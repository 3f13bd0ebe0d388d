"""Records with raw predictions made by hand: the true σ of every error is known, and so is who must win."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from uqbench.api import Prediction, Table
from uqbench.suite.raw import Evaluated, RawTable, collect, to_npz
from uqbench.suite.record import CellPart, DataPart, FailurePart, Record, write_record
from uqbench.suite.scoring import score_tables

N_TEST, N_CALIBRATION, PER_CLUSTER = 60, 40, 5
FAST = {"predict": {"ratio_to_bare": 1.5, "ratio_quartiles": [1.4, 1.6]}, "contended": False}


def make_table(scheme: str, n_test: int = N_TEST, std_only: bool = True) -> dict[str, RawTable]:
    """Forces of two kinds of structure, σ by scheme: true, constant, shuffled (right widths, wrong places)."""
    rng = np.random.default_rng(11)
    n_structures = N_CALIBRATION + n_test
    structure = np.repeat(np.arange(n_structures), PER_CLUSTER)
    true = np.repeat(np.exp(rng.normal(-2.0, 1.0, n_structures)), PER_CLUSTER)
    reference = rng.normal(size=len(true))
    mean = reference - true * rng.standard_normal(len(true))
    constant = np.full(len(true), np.sqrt(np.mean(true**2)))
    std = {"true": true, "constant": constant, "shuffled": rng.permutation(true)}[scheme]
    bounds = (None, None, None) if std_only else (mean - 5.0 * std, mean + 5.0 * std, 1.0)
    pieces = []
    for part, chosen in (
        ("calibration", structure < N_CALIBRATION),
        ("test", structure >= N_CALIBRATION),
    ):
        frames = np.unique(structure[chosen])
        prediction = Prediction(mean, std, *bounds).take(chosen)
        index = np.searchsorted(frames, structure[chosen])
        scored = np.ones(len(index), dtype=bool)
        scored[0] = False
        table = Table("eV/Å", prediction, reference[chosen], index, scored)
        pieces.append(Evaluated(0, part, frames, {"forces": table}))
    types = ["bulk" if i % 2 else "slab" for i in range(n_structures)]
    return collect(pieces, types, list(range(n_structures)))


def make_record(method: str, tables: Mapping[str, RawTable] | None, seed: int = 0, **fields) -> Record:
    """A record of a method with the scores of its tables, or a failed one."""
    outcome = {"status": "ok", "cost": FAST, **score_tables(tables)} if tables else {"status": "failed"}
    return Record(
        schema_version=1,
        **{
            "cell_id": f"toy/line/{method}/forces/{seed}",
            "content_key": "key",
            "cell": CellPart(
                dataset="toy",
                backbone="line",
                method=method,
                task="forces",
                train_size=1.0,
                seed=seed,
                device="cpu",
            ),
            "created": "2026-01-01T00:00:00+00:00",
            "data": DataPart(
                hash="data",
                elements=["Al"],
                n_structures=N_TEST + N_CALIBRATION,
                n_clusters=N_TEST + N_CALIBRATION,
                split_scheme="by hand",
                split_hash=f"split{seed}",
                folds=[{"train": 0, "calibration": N_CALIBRATION, "test": N_TEST, "held_out": 0}],
                held_out=[],
            ),
            "scales": {"forces": 0.1},
            "machine": {},
            "machine_class": "a machine",
            "software": {"uqbench": "1"},
            **outcome,
            **fields,
        },
    )


def write(folder: Path, stem: str, record: Record, tables: Mapping[str, RawTable] | None) -> None:
    """Into a folder, as a run does."""
    write_record(folder, stem, record, to_npz(tables) if tables else None)


def write_methods(folder: Path, **schemes: str) -> None:
    """A record for each method=scheme."""
    for method, scheme in schemes.items():
        tables = make_table(scheme)
        write(folder, method, make_record(method, tables), tables)


def failed(method: str, reason: str, status: str = "failed") -> Record:
    """A record without a result."""
    return make_record(method, None, status=status, failure=FailurePart(reason=reason, traceback=""))
