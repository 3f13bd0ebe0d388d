"""Two records of one cell on the same structures: width and coverage of the stated bounds, and the interval score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from uqbench.api import Array
from uqbench.compare.findings import Change, Finding, Judged, shown
from uqbench.compare.paired import Paired, enough_clusters, paired_changes
from uqbench.compare.side import Entry
from uqbench.errors import UqbenchError
from uqbench.scores.calibrate import Calibration
from uqbench.scores.intervals import covered, interval_score, width
from uqbench.scores.summary import MAIN_LEVEL
from uqbench.suite.raw import PARTS, RawTable
from uqbench.suite.record import Record
from uqbench.suite.scoring import Variant, calibrate_all, calibrated_variant, raw_variant

TOLERANCE = float(np.log(1.05))
"""Of widths and interval scores: 5 %."""
COVERAGE_TOLERANCE = 0.02
"""Of what coverage lacks of the probability claimed: 2 points."""
WIDTH, COVERAGE, SCORE = "width of stated bounds", "coverage of stated bounds", "interval score, calibrated"


@dataclass(frozen=True)
class Sums:
    """A score summed over each cluster; (n_clusters,). claim: of stated bounds alone, their probability."""

    sums: Array
    counts: Array
    claim: float | None = None


@dataclass(frozen=True)
class Asked:
    """A test that is yet to be made, so that all cells are resampled at once."""

    where: str
    what: str
    unit: str
    pair: Paired


@dataclass(frozen=True)
class Accuracy:
    """What two records of a cell give: tests to make, what counts without one, what has too few clusters, and what
    cannot be compared.
    """

    asked: tuple[Asked, ...]
    found: tuple[Finding, ...]
    untested: tuple[str, ...]
    incomparable: tuple[str, ...]


def not_comparable(base: Record, new: Record) -> str:
    """Why two records of a cell do not speak of the same data; empty if they do."""
    if base.data.hash != new.data.hash:
        return f"the dataset changed (hash {base.data.hash[:12]} before, {new.data.hash[:12]} now)"
    if base.data.split_hash != new.data.split_hash:
        return f"the split changed (hash {base.data.split_hash[:12]} before, {new.data.split_hash[:12]} now)"
    return ""


def compare_predictions(base: Entry, new: Entry) -> Accuracy | None:
    """What two records of a cell ask to be tested; None if their predictions are equal to the last bit.

    Raises UqbenchError where predictions are missing or altered, or are not of the same structures and labels.
    """
    where = base.record.cell_id
    before, after = base.tables(), new.tables()
    if base.record.raw == new.record.raw:
        return None
    for kind in before.keys() & after.keys():
        _check_same(before[kind], after[kind], kind)
    # Fitted anew, so that everything follows from the raw predictions.
    calibrations = [calibrate_all(tables) for tables in (before, after)]
    asked: list[Asked] = []
    lost: list[Finding] = []
    untested: list[str] = []
    claims: dict[tuple[float, float], list[str]] = {}
    for kind, part in _scored(before):
        was = _scores(before[kind], part, calibrations[0][kind])
        now = _scores(after[kind], part, calibrations[1][kind]) if kind in after else _none(kind)
        before_claim, claim = (_claim(scores[COVERAGE]) for scores in (was, now))
        if before_claim and claim and claim != before_claim:
            # Width and coverage of other claims say nothing of each other.
            was = {SCORE: was[SCORE]}
            claims.setdefault((before_claim, claim), []).append(f"{kind} {part}")
        for name, old in was.items():
            what, current = f"{name} ({kind}, {part})", now[name]
            if isinstance(old, str):
                continue
            if isinstance(current, str):
                lost.append(Finding(where, what, True, "given", "none", current, np.inf))
            elif few := enough_clusters(len(old.counts)):
                untested.append(f"{what}: {few}")
            else:
                tolerance = TOLERANCE if old.claim is None else COVERAGE_TOLERANCE
                pair = Paired(old.sums, current.sums, old.counts, tolerance, old.claim)
                asked.append(Asked(where, what, str(before[kind].unit) if old.claim is None else "%", pair))
    less = [_claims_less(where, of, *pair) for pair, of in claims.items() if pair[1] < pair[0]]
    more = [_claims_more(of, *pair) for pair, of in claims.items() if pair[1] > pair[0]]
    return Accuracy(tuple(asked), (*lost, *less), tuple(untested), tuple(more))


def tests_of(asked: list[Asked]) -> list[Change]:
    """Make the tests of all cells."""
    found = []
    for a, difference in zip(asked, paired_changes([a.pair for a in asked]), strict=True):
        before, after = a.pair.values()
        found.append(
            Change(
                a.where,
                a.what,
                a.unit,
                before,
                after,
                difference.value,
                difference.low,
                difference.high,
                difference.p_value,
                a.pair.tolerance,
                a.pair.claim,
            )
        )
    return found


def narrowed_below_claim(judged: Sequence[Judged]) -> list[Judged]:
    """Widths that shrank where coverage fell short of the claim by it: no improvement, whatever the test says."""
    short = {
        (j.test.where, j.test.what.removeprefix(COVERAGE))
        for j in judged
        if j.test.claim is not None and j.test.counted > j.test.tolerance
    }
    return [
        j
        for j in judged
        if j.counts
        and j.test.change < 0.0
        and j.test.what.startswith(WIDTH)
        and (j.test.where, j.test.what.removeprefix(WIDTH)) in short
    ]


def _claim(coverage: Sums | str) -> float | None:
    return None if isinstance(coverage, str) else coverage.claim


def _claims_more(of: Sequence[str], before: float, now: float) -> str:
    return (
        f"the stated bounds ({', '.join(of)}) claim {shown(now, '%')} now and claimed {shown(before, '%')} before; "
        "their width and coverage are not compared"
    )


def _claims_less(where: str, of: Sequence[str], before: float, now: float) -> Finding:
    why = "claims less than before: width and coverage are those of another claim, and are not compared"
    what = f"probability claimed by stated bounds ({', '.join(of)})"
    return Finding(where, what, True, shown(before, "%"), shown(now, "%"), why, np.inf)


def _scored(tables: Mapping[str, RawTable]) -> Iterator[tuple[str, str]]:
    for kind, table in tables.items():
        for part in PARTS[1:]:
            if table.scored_in(part).any():
                yield kind, part


def _none(kind: str) -> dict[str, Sums | str]:
    return dict.fromkeys((WIDTH, COVERAGE, SCORE), f"there are no predictions of {kind} any more")


def _scores(
    table: RawTable, part: str, calibrations: tuple[Mapping[int, Calibration], str]
) -> dict[str, Sums | str]:
    """Scores by name, or why there is none. calibrations: by fold, or why there are none."""
    found: dict[str, Sums | str] = {}
    raw = raw_variant(table, part)
    if raw.stated is None:
        found |= dict.fromkeys((WIDTH, COVERAGE), "the method states no bounds")
    else:
        lower, upper, nominal = raw.stated
        try:
            found[WIDTH] = _summed(raw, width(lower, upper))
            found[COVERAGE] = replace(_summed(raw, covered(lower, upper, raw.observed)), claim=nominal)
        except UqbenchError as error:
            found |= dict.fromkeys((WIDTH, COVERAGE), str(error))
    try:
        by_fold, reason = calibrations
        if reason:
            raise UqbenchError(reason)
        calibrated = calibrated_variant(table, part, by_fold)
        bounds = calibrated.intervals.get(MAIN_LEVEL)
        if bounds is None:
            raise UqbenchError(f"{MAIN_LEVEL:.0%} is not attainable: the calibration part is too small")
        found[SCORE] = _summed(calibrated, interval_score(*bounds, calibrated.observed, MAIN_LEVEL))
    except UqbenchError as error:
        found[SCORE] = str(error)
    return found


def _summed(variant: Variant, values: Array) -> Sums:
    index = np.unique(variant.cluster, return_inverse=True)[1]
    return Sums(np.bincount(index, values).astype(np.float64), np.bincount(index).astype(np.float64))


def _check_same(before: RawTable, after: RawTable, kind: str) -> None:
    """Raise UqbenchError unless both are predictions of the same observations."""
    if str(before.unit) != str(after.unit):
        raise UqbenchError(f"{kind} is in {before.unit} before and in {after.unit} now")
    for field in ("structure", "part", "fold", "cluster", "scored"):
        if not np.array_equal(getattr(before, field), getattr(after, field)):
            raise UqbenchError(
                f"{kind} was predicted for other structures ({field} of the raw predictions differs)"
            )
    if not np.array_equal(before.reference, after.reference):
        raise UqbenchError(f"the labels of {kind} differ, though the hash of the dataset is the same")
