"""Raw predictions survive storage exactly, and scores follow from them alone."""

from dataclasses import fields

import numpy as np
import pytest

from uqbench.api import Prediction, Table
from uqbench.errors import UqbenchError
from uqbench.scores.calibrate import LEVELS
from uqbench.suite.raw import Evaluated, RawTable, collect, from_npz, to_npz
from uqbench.suite.scoring import calibrated_variant, fit_calibrations, raw_variant, score_tables


def evaluated(rng, fold, part, structures, std, samples=None, noise=1.0):
    """Three observables a structure with errors noise * std; the last structure's are zero by symmetry."""
    n = 3 * len(structures)
    mean = rng.standard_normal(n)
    std = np.broadcast_to(std, n)
    drawn = None if samples is None else mean + std * rng.standard_normal((samples, n))
    reference = mean + noise * std * rng.standard_normal(n)
    scored = np.ones(n, dtype=bool)
    scored[-3:] = False
    table = Table(
        "eV/Å",
        Prediction(mean, std, samples=drawn),
        reference,
        np.repeat(np.arange(len(structures)), 3),
        scored,
    )
    return Evaluated(fold, part, np.asarray(structures), {"forces": table})


def two_folds(samples=None, noise=1.0, n=200):
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 2.0, 3 * n)
    pieces = []
    for fold in (0, 1):
        start = fold * 2 * n
        pieces += [
            evaluated(rng, fold, "calibration", range(start, start + n), std, samples, noise),
            evaluated(rng, fold, "test", range(start + n, start + 2 * n), std, samples, noise),
        ]
    return collect(pieces, ["a", "b"] * (2 * n), list(range(4 * n)))


@pytest.mark.parametrize("samples", [None, 5])
def test_storage_is_exact(samples):
    tables = two_folds(samples)
    again = from_npz(to_npz(tables), "here")
    for field in fields(RawTable):
        np.testing.assert_array_equal(
            getattr(tables["forces"], field.name), getattr(again["forces"], field.name)
        )


def test_scores_from_storage_equal_those_before_it():
    tables = two_folds(5)
    assert score_tables(tables) == score_tables(from_npz(to_npz(tables), "here"))


def test_intervals_of_members_are_kept_though_the_members_are_not():
    table = two_folds(5)["forces"]
    assert set(table.rule) == {"student"}
    assert table.level_lower.shape == (len(LEVELS), len(table.mean))


def test_what_is_not_raw_predictions_is_refused():
    with pytest.raises(UqbenchError, match=r"x.npz does not hold raw predictions"):
        from_npz(b"nothing", "x.npz")


def test_parts_and_symmetry_are_told_apart():
    table = two_folds()["forces"]
    variant = raw_variant(table, "test")
    assert len(variant.mean) == 2 * (600 - 3)
    found = score_tables({"forces": table})
    assert found["symmetry"]["forces"] == {"n": 2400, "zero": 12}
    assert "held_out" not in found["scores"]["raw"]


def test_calibration_is_each_folds_own_and_restores_coverage():
    """Errors three times larger than stated: raw intervals fail, calibrated ones cover what they say."""
    table = two_folds(noise=3.0)["forces"]
    calibrations = fit_calibrations(table)
    assert set(calibrations) == {0, 1}
    for calibration in calibrations.values():
        assert calibration.a * 1.0 + calibration.c == pytest.approx(3.0, rel=0.1)
    variant = calibrated_variant(table, "test", calibrations)
    lower, upper = variant.intervals[0.95]
    assert np.mean((lower <= variant.observed) & (variant.observed <= upper)) == pytest.approx(0.95, abs=0.02)
    found = score_tables({"forces": table})["scores"]
    assert found["raw"]["test"]["forces"]["coverage_95"]["value"] < 0.6


def test_calibration_sees_nothing_of_the_test_part():
    """Altering test labels changes no calibration."""
    table = two_folds()["forces"]
    before = fit_calibrations(table)
    reference = table.reference.copy()
    reference[table.part == 1] += 100.0
    altered = RawTable(
        **{**{f.name: getattr(table, f.name) for f in fields(RawTable)}, "reference": reference}
    )
    assert fit_calibrations(altered) == before


def test_a_method_that_states_no_bounds_is_held_to_its_95_percent_interval():
    scores = score_tables(two_folds())["scores"]["raw"]["test"]["forces"]
    assert scores["coverage_stated"] == scores["coverage_95"]
    assert scores["nominal_stated"]["value"] == 0.95


def test_without_calibration_data_there_is_a_reason_and_raw_scores():
    rng = np.random.default_rng(0)
    tables = collect([evaluated(rng, 0, "test", range(20), 1.0)], ["a"] * 20, list(range(20)))
    found = score_tables(tables)
    assert "calibrated" not in found["scores"]
    assert "no scored label" in found["reasons"]["calibrated"]["test"]["forces"]["calibration"]


def test_a_fold_without_a_stored_calibration_is_named():
    """Its deviations were whatever the memory held."""
    table = two_folds()["forces"]
    stored = fit_calibrations(table)
    with pytest.raises(
        UqbenchError, match=r"fold 1 has predictions in its test part and no calibration .* \[0\]"
    ):
        calibrated_variant(table, "test", {0: stored[0]})
    found = score_tables({"forces": table}, {"forces": ({0: stored[0]}, "")})
    assert "calibrated" not in found["scores"]
    assert "fold 1" in found["reasons"]["calibrated"]["test"]["forces"]["calibration"]
