"""Scores from raw predictions alone: raw and calibrated, by part, kind and kind of structure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import LEAST_CLUSTERS, draw_resamples, percentile_score, ratio, whole_sample
from uqbench.scores.calibrate import LEVELS, Calibration, fit_calibration
from uqbench.scores.intervals import covered, width
from uqbench.scores.summary import score_table
from uqbench.suite.raw import RawTable

BOOTSTRAP_SEED = 0
"""One seed for all cells, so that methods are resampled alike."""

Intervals = dict[float, tuple[Array, Array]]


@dataclass(frozen=True)
class Variant:
    """A table as it is scored: raw or calibrated; arrays are those of the chosen part, (n,).

    intervals and cluster_intervals hold the levels that can be had. stated: the method's own bounds with the
    probability it claims, or its 95 % interval where it states none.
    """

    observed: Array
    mean: Array
    std: Array | None
    cluster: NDArray[np.int64]
    config_type: NDArray[np.int64]
    intervals: Intervals
    cluster_intervals: Intervals
    stated: tuple[Array, Array, float] | None


def raw_variant(table: RawTable, part: str) -> Variant:
    """The predictions as the method made them."""
    chosen = table.scored_in(part)
    prediction = table.prediction(chosen)
    intervals = table.intervals(chosen)
    stated = None
    if prediction.lower is not None and prediction.upper is not None and prediction.nominal is not None:
        stated = (prediction.lower, prediction.upper, prediction.nominal)
    elif 0.95 in intervals:
        stated = (*intervals[0.95], 0.95)
    return Variant(
        table.reference[chosen],
        prediction.mean,
        prediction.std,
        table.cluster[chosen],
        table.config_type[chosen],
        intervals,
        {},
        stated,
    )


def fit_calibrations(table: RawTable) -> dict[int, Calibration]:
    """One calibration a fold, from its calibration part; raises UqbenchError if there is none."""
    found = {}
    for fold in np.unique(table.fold):
        chosen = table.scored_in("calibration") & (table.fold == fold)
        if not chosen.any():
            raise UqbenchError(f"fold {fold} has no scored label in its calibration part.")
        found[int(fold)] = fit_calibration(
            table.prediction(chosen), table.reference[chosen], table.cluster[chosen]
        )
    return found


def calibrate_all(tables: Mapping[str, RawTable]) -> dict[str, tuple[dict[int, Calibration], str]]:
    """Calibrations by kind and fold, and where there is none, why."""
    found = {}
    for kind, table in tables.items():
        try:
            found[kind] = (fit_calibrations(table), "")
        except UqbenchError as error:
            found[kind] = ({}, str(error))
    return found


def calibrated_variant(table: RawTable, part: str, calibrations: Mapping[int, Calibration]) -> Variant:
    """Every fold's predictions after that fold's calibration; a level that a fold cannot attain is left out.

    Raises UqbenchError if a fold that has predictions has no calibration.
    """
    chosen = table.scored_in(part)
    n = int(chosen.sum())
    std = np.full(n, np.nan)
    fold = table.fold[chosen]
    missing = sorted(set(np.unique(fold).tolist()) - set(calibrations))
    if missing:
        raise UqbenchError(
            f"fold {missing[0]} has predictions in its {part} part and no calibration (there are those of folds "
            f"{sorted(calibrations)}); score the predictions again, so that every fold is calibrated."
        )
    bounds: dict[str, Intervals] = {
        name: {level: (np.full(n, np.nan), np.full(n, np.nan)) for level in LEVELS}
        for name in ("intervals", "cluster_intervals")
    }
    for number, calibration in calibrations.items():
        here = fold == number
        if not here.any():
            continue
        applied = calibration.apply(table.prediction(chosen & (table.fold == number)))
        std[here] = applied.std
        for name, by_level in bounds.items():
            for level, (lower, upper) in getattr(applied, name).items():
                by_level[level][0][here], by_level[level][1][here] = lower, upper
    complete = {
        name: {level: pair for level, pair in by_level.items() if not np.isnan(pair[0]).any()}
        for name, by_level in bounds.items()
    }
    return Variant(
        table.reference[chosen],
        table.mean[chosen],
        std,
        table.cluster[chosen],
        table.config_type[chosen],
        complete["intervals"],
        complete["cluster_intervals"],
        None,
    )


def score_tables(
    tables: Mapping[str, RawTable],
    calibrations: Mapping[str, tuple[dict[int, Calibration], str]] | None = None,
) -> dict[str, Any]:
    """All that a record says of predictions, as plain JSON values. calibrations: fitted here unless given.

    scores: variant -> part -> kind -> score -> {value, low, high}. reasons: likewise, why one is absent.
    groups: variant -> part -> kind -> config_type -> {n, n_clusters, rmse, coverage_95, width_95}.
    calibration: kind -> fold -> a, c, factors. symmetry: kind -> observables and how many symmetry makes zero.
    """
    found: dict[str, Any] = {"scores": {}, "reasons": {}, "groups": {}, "calibration": {}, "symmetry": {}}
    every = calibrate_all(tables) if calibrations is None else calibrations
    for kind, table in tables.items():
        found["symmetry"][kind] = {"n": len(table.scored), "zero": int((~table.scored).sum())}
        by_fold, failure = every[kind]
        found["calibration"][kind] = {
            str(fold): {
                key: {str(k): v for k, v in value.items()} if isinstance(value, dict) else value
                for key, value in asdict(c).items()
            }
            for fold, c in by_fold.items()
        }
        for part in ("test", "held_out"):
            if not table.scored_in(part).any():
                continue
            variants = {"raw": raw_variant(table, part)}
            if by_fold:
                try:
                    variants["calibrated"] = calibrated_variant(table, part, by_fold)
                except UqbenchError as error:
                    failure = str(error)
            if failure:
                _put(found["reasons"], ("calibrated", part, kind), {"calibration": failure})
            for name, variant in variants.items():
                scores, reasons = _scores(variant)
                if name == "raw":
                    scores |= _energy_score(table, part)
                else:
                    reasons |= _unattainable(by_fold, reasons)
                _put(found["scores"], (name, part, kind), scores)
                _put(found["reasons"], (name, part, kind), reasons)
                _put(found["groups"], (name, part, kind), _by_config_type(variant, table.config_types))
    return found


def _scores(variant: Variant) -> tuple[dict[str, Any], dict[str, str]]:
    table = score_table(
        variant.observed,
        variant.mean,
        variant.cluster,
        np.random.default_rng(BOOTSTRAP_SEED),
        std=variant.std,
        intervals=variant.intervals,
        stated=variant.stated,
    )
    scores = {name: asdict(score) for name, score in table.scores.items()}
    reasons = dict(table.reasons)
    if 0.95 in variant.cluster_intervals:
        lower, upper = variant.cluster_intervals[0.95]
        resamples = _resamples(variant.cluster)
        rmse = np.sqrt(resamples.mean((variant.observed - variant.mean) ** 2))
        try:
            hit, wide = covered(lower, upper, variant.observed), width(lower, upper)
            scores["cluster_coverage_95"] = asdict(percentile_score(resamples.mean(hit)))
            scores["cluster_width_95"] = asdict(percentile_score(ratio(resamples.mean(wide), rmse)))
        except UqbenchError as error:
            reasons["cluster_coverage_95"] = str(error)
    return scores, reasons


def _unattainable(calibrations: Mapping[int, Calibration], reasons: Mapping[str, str]) -> dict[str, str]:
    """Why levels that a fold's calibration part is too small for have no score, in place of a bare "no interval"."""
    found = {}
    for level in LEVELS:
        short = [(fold, c.n) for fold, c in calibrations.items() if c.factors[level] is None]
        if short:
            fold, n = short[0]
            words = (
                f"{level:.0%} is not attainable: {math.ceil(level / (1.0 - level) - 1e-9)} calibration values are "
                f"needed, fold {fold} has {n}. More structures are needed."
            )
            found |= {name: words for name in reasons if name.endswith(f"_{100 * level:.0f}")}
    return found


def _resamples(cluster: NDArray[np.int64]):
    if len(np.unique(cluster)) < LEAST_CLUSTERS:
        return whole_sample(cluster)
    return draw_resamples(cluster, np.random.default_rng(BOOTSTRAP_SEED))


def _energy_score(table: RawTable, part: str) -> dict[str, Any]:
    if not len(table.energy_score):
        return {}
    chosen = table.scored_in(part)
    draws = _resamples(table.cluster[chosen]).mean(table.energy_score[chosen])
    return {"energy_score": asdict(percentile_score(draws))}


def _by_config_type(variant: Variant, names: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    found = {}
    for code in np.unique(variant.config_type):
        here = variant.config_type == code
        rmse = float(np.sqrt(np.mean((variant.observed[here] - variant.mean[here]) ** 2)))
        entry = {
            "n": int(here.sum()),
            "n_clusters": len(np.unique(variant.cluster[here])),
            "rmse": rmse,
        }
        if 0.95 in variant.intervals and rmse > 0.0:
            lower, upper = (side[here] for side in variant.intervals[0.95])
            # A group with an interval of no width has no coverage; the whole table's reason says why.
            if (upper > lower).all():
                entry["coverage_95"] = float(covered(lower, upper, variant.observed[here]).mean())
                entry["width_95"] = float(width(lower, upper).mean() / rmse)
        found[str(names[code])] = entry
    return found


def _put(tree: dict[str, Any], path: tuple[str, ...], leaf: object) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
    tree.setdefault(path[-1], {}).update(leaf)
