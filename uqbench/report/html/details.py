"""What lies behind a row of the scores: its calibration curve, its errors beside σ, its worst-covered structures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uqbench.errors import UqbenchError
from uqbench.report.evidence import Curves, Row
from uqbench.report.html.columns import rounded
from uqbench.report.verify import stored_calibrations
from uqbench.scores.intervals import half_widths, side_ratio
from uqbench.scores.reliability import curve_levels
from uqbench.scores.summary import MAIN_LEVEL
from uqbench.suite.raw import RawTable
from uqbench.suite.record import read_raw
from uqbench.suite.scoring import Variant, calibrated_variant, raw_variant

MOST_ROWS = 400
"""Rows that have details; the page says how many have none."""
LEVELS = 20
MOST_POINTS = 150
MOST_WORST = 5


@dataclass(frozen=True)
class Worst:
    """A structure by its worst-covered value. frame: index into the dataset. ratio: |error| over the half-width.

    error, half_width: in the unit of the observable, on the side where the reference fell; ratio is None where that
    side has no width.
    """

    frame: int
    config_type: str
    error: float | None
    half_width: float | None
    ratio: float | None


def chosen_rows(places: Sequence[tuple[int, int]]) -> list[int]:
    """Which rows have details, at most MOST_ROWS: the first of every comparison, then the second, and so on.

    places: of every row, its comparison and its place in it. Returns indices in increasing order.
    """
    by_place = sorted(range(len(places)), key=lambda i: (places[i][1], places[i][0]))
    return sorted(by_place[:MOST_ROWS])


def row_details(folder: Path, rows: Mapping[int, Row]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Plain values by row; rows of one record one after the other, so that its predictions are read once."""
    by_record: dict[str, list[int]] = {}
    for number, row in rows.items():
        by_record.setdefault(row.record.cell_id, []).append(number)
    for numbers in by_record.values():
        tables = read_raw(folder, rows[numbers[0]].record)
        for number in numbers:
            row = rows[number]
            found, reason = _worst_or_reason(row, tables[row.kind])
            worst = [asdict(w) for w in found]
            yield number, {**_curves(row.curves), "worst": worst, "reason": reason}


def _curves(curves: Curves | None) -> dict[str, Any]:
    """Thinned: the first and last point of a curve are kept."""
    if curves is None:
        return {}
    levels = np.linspace(0, len(curves.shares) - 1, LEVELS).round().astype(int)
    points = np.linspace(0, len(curves.std) - 1, min(len(curves.std), MOST_POINTS)).round().astype(int)
    return {
        "levels": _numbers(curve_levels()[levels]),
        "shares": _numbers(curves.shares[levels]),
        "std": _numbers(curves.std[points]),
        "error": _numbers(curves.abs_error[points]),
        "binned_std": _numbers(curves.rms_std),
        "binned_error": _numbers(curves.rmse),
    }


def _worst_or_reason(row: Row, table: RawTable) -> tuple[list[Worst], str]:
    try:
        if row.variant == "raw":
            found = raw_variant(table, row.part)
        else:
            found = calibrated_variant(table, row.part, stored_calibrations(row.record, row.kind))
        chosen = table.scored_in(row.part)
        return worst_covered(found, table.structure[chosen], table.config_types), ""
    except UqbenchError as error:
        return [], str(error)


def worst_covered(
    found: Variant, structure: NDArray[np.int64], config_types: NDArray[np.str_]
) -> list[Worst]:
    """The structures whose worst value lies farthest out, in half-widths of its 95 % interval (or stated bounds).

    structure: (n,), index into the dataset of each value. Raises UqbenchError where there are no bounds of any width.
    """
    bounds = found.intervals.get(MAIN_LEVEL) or (found.stated and found.stated[:2])
    if not bounds:
        raise UqbenchError("The method states no bounds.")
    halves = half_widths(found.mean, *bounds)
    error = found.observed - found.mean
    ratio = side_ratio(*halves, error)
    half = np.where(error < 0.0, *halves)
    descending = np.argsort(-ratio, kind="stable")
    _, first = np.unique(structure[descending], return_index=True)
    return [
        Worst(
            int(structure[i]),
            str(config_types[found.config_type[i]]),
            rounded(float(abs(error[i]))),
            rounded(float(half[i])),
            rounded(float(ratio[i])),
        )
        for i in descending[np.sort(first)[:MOST_WORST]]
    ]


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[float | None]:
    return [rounded(float(v)) for v in values]
