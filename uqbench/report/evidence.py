"""Records back from disk with their raw predictions: scores computed again, and all that a report needs of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Prediction
from uqbench.errors import UqbenchError
from uqbench.report.property_panel import Materials, make_panels
from uqbench.report.sections import Section, make_sections
from uqbench.report.verify import stored_calibrations, verified
from uqbench.scores.calibrate import Calibration
from uqbench.scores.intervals import interval_score
from uqbench.scores.recalibrated import FoldScores, fold_scores
from uqbench.scores.reliability import calibration_curve, sigma_bins
from uqbench.scores.summary import MAIN_LEVEL
from uqbench.suite.bundle import SUFFIX, bundle_lines, read_line
from uqbench.suite.raw import PARTS, RawTable
from uqbench.suite.record import Record, ScorePart, read_raw, read_record
from uqbench.suite.scoring import Variant, calibrated_variant, raw_variant

POINTS = 600
"""Most points of a predicted-σ figure that are kept of one method and kind."""


@dataclass(frozen=True)
class Curves:
    """What the figures show of predictions with a σ.

    shares: (100,), observed coverage at the levels of the calibration curve. rms_std, rmse: (n_bins,), by bins
    of σ. std, abs_error: (at most POINTS,), every so-many-th observation in order of σ.
    """

    shares: Array
    rms_std: Array
    rmse: Array
    std: Array
    abs_error: Array


@dataclass(frozen=True)
class Row:
    """One method, raw or calibrated, on one part and kind: a row of a table.

    clusters: (n_clusters,) their numbers. sums: (n_clusters,) interval score at 95 % summed over each cluster, None
    where there is no such interval. counts: (n_clusters,) observations. recalibrated: the sums fold by fold, as they
    are with other calibration clusters; empty of raw rows. sample: hash of labels and clusters; rows of one sample can
    be paired.
    """

    record: Record
    variant: str
    part: str
    kind: str
    unit: str
    clusters: NDArray[np.int64]
    sums: Array | None
    counts: Array
    recalibrated: tuple[FoldScores, ...]
    sample: str
    curves: Curves | None

    @property
    def scores(self) -> Mapping[str, ScorePart]:
        """By name."""
        return self.record.scores[self.variant][self.part][self.kind]


@dataclass(frozen=True)
class Problem:
    """What was wrong with a record, and which."""

    who: str
    what: str


@dataclass(frozen=True)
class Evidence:
    """All readable records of a folder in the order of their file names, their rows, and what was wrong."""

    records: list[Record]
    rows: list[Row]
    problems: list[Problem]

    @cached_property
    def sections(self) -> list[Section]:
        """What may stand side by side; both pages show these."""
        return make_sections(self.records, self.rows)

    @cached_property
    def panels(self) -> list[Materials]:
        """Simulation results of many materials."""
        return make_panels(self.sections)


def load_evidence(folder: Path) -> Evidence:
    """Read records and raw predictions, and compute the scores again.

    Records are files of their own or lines of a bundle. One that can't be read, whose raw predictions are missing
    or altered, or that repeats a cell is a problem and left out; one whose scores differ from the recomputed ones
    keeps these, and is a problem too.
    Raises UqbenchError if the folder has no records.
    """
    # Imported first, for threads can be limited only in libraries that are loaded.
    import scipy.optimize  # noqa: F401
    from threadpoolctl import threadpool_limits

    sources = _sources(folder)
    if not sources:
        raise UqbenchError(
            f"{folder} holds no records (*.json, *{SUFFIX}); run `python -m uqbench run --out ...` first."
        )
    records: dict[str, Record] = {}
    rows: list[Row] = []
    problems: list[Problem] = []
    # Arrays are small: threads cost more than they give.
    with threadpool_limits(1):
        for who, read in sources:
            try:
                record = read()
                if record.cell_id in records:
                    raise UqbenchError(f"cell {record.cell_id} has a record already; delete one of the two.")
                tables = read_raw(folder, record) if record.raw is not None or record.scores else {}
                record, differences = verified(record, tables)
                rows += _rows(record, tables)
            except UqbenchError as error:
                problems.append(Problem(who, str(error).replace(f"{folder}/", "")))
                continue
            problems += [Problem(who, difference) for difference in differences]
            records[record.cell_id] = record
    return Evidence(list(records.values()), rows, problems)


def _sources(folder: Path) -> list[tuple[str, Callable[[], Record]]]:
    """What to read and where it stands: records first, then each line of each bundle."""
    sources: list[tuple[str, Callable[[], Record]]] = [
        (path.name, partial(read_record, path)) for path in sorted(folder.glob("*.json"))
    ]
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            for number, line in bundle_lines(path):
                sources.append((f"{path.name}, line {number}", partial(read_line, path, number, line)))
        except UqbenchError as error:
            sources.append((path.name, partial(_fail, error)))
    return sources


def _fail(error: UqbenchError) -> Record:
    raise error


def _rows(record: Record, tables: Mapping[str, RawTable]) -> Iterator[Row]:
    for kind, table in tables.items():
        calibrations = stored_calibrations(record, kind)
        for variant, parts in record.scores.items():
            for part in (p for p in PARTS if kind in parts.get(p, {})):
                if variant == "raw":
                    found, recalibrated = raw_variant(table, part), ()
                else:
                    found = calibrated_variant(table, part, calibrations)
                    recalibrated = _recalibrated(table, part, calibrations)
                yield _row(record, variant, part, kind, str(table.unit), found, recalibrated)


def _recalibrated(
    table: RawTable, part: str, calibrations: Mapping[int, Calibration]
) -> tuple[FoldScores, ...]:
    """Fold by fold; empty where one of them has no factor at 95 %."""

    def of(name: str, fold: int) -> tuple[Prediction, Array, NDArray[np.int64]]:
        chosen = table.scored_in(name) & (table.fold == fold)
        return table.prediction(chosen), table.reference[chosen], table.cluster[chosen]

    folds = np.unique(table.fold[table.scored_in(part)]).tolist()
    found = [fold_scores(calibrations[f], MAIN_LEVEL, of("calibration", f), of(part, f)) for f in folds]
    return tuple(scores for scores in found if scores is not None) if None not in found else ()


def _row(
    record: Record,
    variant: str,
    part: str,
    kind: str,
    unit: str,
    found: Variant,
    recalibrated: tuple[FoldScores, ...],
) -> Row:
    digest = hashlib.sha256(found.observed.tobytes() + found.cluster.tobytes())
    clusters, index = np.unique(found.cluster, return_inverse=True)
    sums = None
    if MAIN_LEVEL in found.intervals:
        try:
            score = interval_score(*found.intervals[MAIN_LEVEL], found.observed, MAIN_LEVEL)
            sums = np.bincount(index, score).astype(np.float64)
        except UqbenchError:
            sums = None
    counts = np.bincount(index).astype(np.float64)
    return Row(
        record,
        variant,
        part,
        kind,
        unit,
        clusters,
        sums,
        counts,
        recalibrated,
        digest.hexdigest(),
        _curves(found),
    )


def _curves(found: Variant) -> Curves | None:
    if found.std is None or not (found.std > 0.0).all():
        return None
    abs_error = np.abs(found.observed - found.mean)
    bins = sigma_bins(found.std)
    n = np.bincount(bins)
    ascending = np.argsort(found.std, kind="stable")
    kept = ascending[:: -(-len(ascending) // POINTS)]
    return Curves(
        calibration_curve(found.mean, found.std, found.observed)[1],
        np.sqrt(np.bincount(bins, found.std**2) / n),
        np.sqrt(np.bincount(bins, abs_error**2) / n),
        found.std[kept],
        abs_error[kept],
    )
