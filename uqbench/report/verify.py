"""Do a record's scores follow from its raw predictions? Computed again without the bootstrap, and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.calibrate import LEVELS, Calibration
from uqbench.scores.gaussian import crps_gaussian, nll_gaussian, zms
from uqbench.scores.intervals import covered, half_widths, interval_score, matched_coverage_width, width
from uqbench.scores.ranking import spearman
from uqbench.scores.reliability import ence, miscalibration_area
from uqbench.scores.summary import MAIN_LEVEL
from uqbench.suite.raw import PARTS, RawTable
from uqbench.suite.record import Record
from uqbench.suite.scoring import Variant, calibrated_variant, fit_calibrations, raw_variant, score_tables

TOLERANCE = 1e-9
CALIBRATION_TOLERANCE = 1e-5
"""Of a and c, relative: a minimum that is found numerically differs by 1e-8 between numbers of BLAS threads."""


def verified(record: Record, tables: Mapping[str, RawTable]) -> tuple[Record, list[str]]:
    """The record with scores that follow from its raw predictions, and how the stored ones differed.

    Values are compared to 1e-9 relative, after the stored calibration, which is itself fitted again and
    compared to 1e-5. Bootstrap intervals and the simulated attainable correlation are taken anew only where
    something differs: then all of the record's scores are. Raises UqbenchError for predictions that cannot be
    scored.
    """
    differences = [d for kind, table in tables.items() for d in _differences(record, kind, table)]
    if not differences:
        return record, []
    found = Record.model_validate({**record.model_dump(), **score_tables(tables)})
    return found, [
        f"{differences[0]} ({len(differences)} such differences); the recomputed scores are shown."
    ]


def stored_calibrations(record: Record, kind: str) -> dict[int, Calibration]:
    """The record's calibration of a kind by fold; raises UqbenchError if it is not one."""

    def factors(entry: Mapping[str, float | None]) -> dict[float, float | None]:
        return {float(p): None if factor is None else float(factor) for p, factor in entry.items()}

    try:
        return {
            int(fold): Calibration(
                float(entry["a"]),
                float(entry["c"]),
                factors(entry["factors"]),
                factors(entry["cluster_factors"]),
                entry["n"],
                entry["n_clusters"],
                entry["halved"],
            )
            for fold, entry in record.calibration.get(kind, {}).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UqbenchError(f"calibration.{kind} is malformed ({error}); run the cell again.") from None


def _differences(record: Record, kind: str, table: RawTable) -> list[str]:
    stored = stored_calibrations(record, kind)
    differences = _calibration_differences(stored, kind, table)
    expected: dict[tuple[str, str], Variant] = {}
    for part in PARTS[1:]:
        if table.scored_in(part).any():
            expected["raw", part] = raw_variant(table, part)
            # A calibrated σ of zero cannot be scored: the record has a reason in place of scores.
            with suppress(UqbenchError):
                if stored:
                    expected["calibrated", part] = calibrated_variant(table, part, stored)
    given = {(name, part) for name, parts in record.scores.items() for part in parts if kind in parts[part]}
    differences += [
        f"scores of {kind} ({part}, {name}) do not follow" for name, part in given - set(expected)
    ]
    for (name, part), variant in expected.items():
        where = f"({kind}, {part}, {name})"
        said = {
            score: s.value for score, s in record.scores.get(name, {}).get(part, {}).get(kind, {}).items()
        }
        differences += _unequal(said, plain_values(variant), where)
        groups = record.groups.get(name, {}).get(part, {}).get(kind, {})
        said = {f"coverage_95 of {g}": v["coverage_95"] for g, v in groups.items() if "coverage_95" in v}
        differences += _unequal(said, _group_coverage(variant, table.config_types, groups), where)
    return differences


def _unequal(said: Mapping[str, float], found: Mapping[str, float], where: str) -> list[str]:
    return [
        f"{name} {where} is {said.get(name, 'missing')}, recomputed {value:.12g}"
        for name, value in found.items()
        if name not in said or not math.isclose(said[name], value, rel_tol=TOLERANCE, abs_tol=1e-12)
    ]


def _group_coverage(
    variant: Variant, names: NDArray[np.str_], groups: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Coverage at 95 % of the groups for which the record gives one."""
    if MAIN_LEVEL not in variant.intervals:
        return {}
    with suppress(UqbenchError):
        inside = covered(*variant.intervals[MAIN_LEVEL], variant.observed)
        return {
            f"coverage_95 of {name}": float(inside[variant.config_type == code].mean())
            for code, name in enumerate(names)
            if "coverage_95" in groups.get(str(name), {})
        }
    return {}


def _calibration_differences(stored: Mapping[int, Calibration], kind: str, table: RawTable) -> list[str]:
    try:
        fitted = fit_calibrations(table)
    except UqbenchError:
        fitted = {}
    if set(fitted) != set(stored):
        return [f"calibration of {kind} has folds {sorted(stored)}, recomputed {sorted(fitted)}"]
    differences = []
    for fold, new in fitted.items():
        old = stored[fold]
        numbers = [("a", old.a, new.a), ("c", old.c, new.c)]
        numbers += [(f"factor {p:g}", old.factors.get(p), f) for p, f in new.factors.items()]
        numbers += [
            (f"cluster factor {p:g}", old.cluster_factors.get(p), f) for p, f in new.cluster_factors.items()
        ]
        differences += [
            f"calibration of {kind}, fold {fold}: {name} is {was}, recomputed {now}"
            for name, was, now in numbers
            if not _close(was, now)
        ]
    return differences


def _close(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return was is now
    return math.isclose(was, now, rel_tol=CALIBRATION_TOLERANCE, abs_tol=1e-9)


def plain_values(variant: Variant) -> dict[str, float]:
    """Scores of a variant by name, from their definitions, without resampling; ill-posed ones are left out."""
    observed, mean = variant.observed, variant.mean
    rmse = float(np.sqrt(np.mean((observed - mean) ** 2)))

    def std() -> Array:
        if variant.std is None:
            raise UqbenchError("The method gives no std.")
        return variant.std

    def matched(lower: Array, upper: Array) -> float:
        halves = half_widths(mean, lower, upper)
        return matched_coverage_width(*halves, observed - mean, MAIN_LEVEL) / rmse

    make: dict[str, Callable[[], Any]] = {
        "rmse": lambda: rmse,
        "mae": lambda: np.mean(np.abs(observed - mean)),
        "crps": lambda: np.mean(crps_gaussian(mean, std(), observed)),
        "nll": lambda: np.mean(nll_gaussian(mean, std(), observed)),
        "zms": lambda: zms(mean, std(), observed),
        "miscalibration_area": lambda: miscalibration_area(mean, std(), observed),
        "ence": lambda: ence(mean, std(), observed),
        "spearman": lambda: spearman(np.abs(observed - mean), std()),
    }
    for level in (p for p in LEVELS if p in variant.intervals):
        bounds = variant.intervals[level]
        make[f"coverage_{100 * level:.0f}"] = lambda b=bounds: np.mean(covered(*b, observed))
    main = variant.intervals.get(MAIN_LEVEL)
    if main is not None:
        make["interval_score_95"] = lambda: np.mean(interval_score(*main, observed, MAIN_LEVEL))
        make["width_95"] = lambda: np.mean(width(*main)) / rmse
        make["matched_width_95"] = lambda: matched(*main)
    if variant.stated is not None:
        lower, upper, nominal = variant.stated
        make["nominal_stated"] = lambda: nominal
        make["coverage_stated"] = lambda: np.mean(covered(lower, upper, observed))
        make["width_stated"] = lambda: np.mean(width(lower, upper)) / rmse
        make["matched_width_stated"] = lambda: matched(lower, upper)
    cluster = variant.cluster_intervals.get(MAIN_LEVEL)
    if cluster is not None:
        make["cluster_coverage_95"] = lambda: np.mean(covered(*cluster, observed))
        make["cluster_width_95"] = lambda: np.mean(width(*cluster)) / rmse
    values = {}
    for name, value in make.items():
        try:
            found = value()
        except (UqbenchError, ZeroDivisionError):
            continue
        if found is not None and np.isfinite(found):
            values[name] = float(found)
    return values
