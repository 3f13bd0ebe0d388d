"""Prediction: what it refuses, how it is cut and joined, and the rule of its intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from uqbench.api import Prediction
from uqbench.errors import UqbenchError

MEAN = np.array([1.0, -2.0, 3.0])


def full(n=3, m=4, seed=0):
    rng = np.random.default_rng(seed)
    mean = rng.standard_normal(n)
    return Prediction(
        mean, rng.random(n), mean - rng.random(n), mean + rng.random(n), 0.9, rng.standard_normal((m, n))
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mean": MEAN[:, None]}, r"Prediction\.mean has shape \(3, 1\); \(n,\) is needed"),
        (
            {"mean": np.array([1.0, np.nan, np.inf])},
            r"Prediction\.mean is nan at index \(1,\) \(2 such values\)",
        ),
        ({"mean": np.array(["a", "b", "c"])}, r"Prediction\.mean has dtype <U1; real numbers are needed"),
        ({"mean": MEAN + 1j}, r"Prediction\.mean has dtype complex128"),
        ({"mean": MEAN > 0}, r"Prediction\.mean has dtype bool"),
        ({"std": np.ones(2)}, r"Prediction\.std has shape \(2,\); \(3,\) is needed"),
        ({"std": np.array([0.0, -0.5, 1.0])}, r"Prediction\.std is negative \(least: -0\.5\)"),
        ({"std": np.array([0.0, np.inf, 1.0])}, r"Prediction\.std is inf"),
        ({"lower": MEAN - 1}, "lower, upper and nominal go together"),
        ({"lower": MEAN - 1, "upper": MEAN + 1}, "lower, upper and nominal go together"),
        ({"nominal": 0.5}, "lower, upper and nominal go together"),
        (
            {"lower": MEAN - 1, "upper": MEAN + 1, "nominal": 0.0},
            r"nominal is 0\.0; a probability in \(0, 1\]",
        ),
        ({"lower": MEAN - 1, "upper": MEAN + 1, "nominal": 95}, r"nominal is 95"),
        (
            {"lower": MEAN - 1, "upper": MEAN + np.array([1, -0.5, 1]), "nominal": 1.0},
            r"entry 1 has mean -2 outside its stated bounds \[-3, -2\.5\]",
        ),
        ({"lower": MEAN + 0.1, "upper": MEAN + 1, "nominal": 1.0}, "entry 0 has mean 1 outside"),
        ({"lower": MEAN - 1, "upper": MEAN * np.nan, "nominal": 1.0}, r"Prediction\.upper is nan"),
        ({"samples": np.ones(3)}, r"samples has shape \(3,\); \(m, 3\) with m >= 2 is needed"),
        ({"samples": np.ones((1, 3))}, r"samples has shape \(1, 3\)"),
        ({"samples": np.ones((4, 2))}, r"samples has shape \(4, 2\); \(4, 3\) is needed"),
        ({"samples": np.full((2, 3), np.nan)}, r"samples is nan at index \(0, 0\)"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields, words):
    with pytest.raises(UqbenchError, match=words):
        Prediction(**{"mean": MEAN} | fields)


def test_bounds_may_touch_the_mean_within_rounding():
    mean = np.array([1e3, -1e3])
    Prediction(mean, lower=mean + 1e-10, upper=mean + 1e-10, nominal=1.0)


def test_values_are_float64_copies_that_cannot_be_changed():
    given = np.array([1.0, 2.0, 3.0])
    prediction = Prediction(given, np.ones(3, dtype=np.float32))
    given[0] = 7
    assert prediction.mean.tolist() == [1.0, 2.0, 3.0]
    assert prediction.std is not None
    assert prediction.mean.dtype == prediction.std.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        prediction.mean[0] = 0.0


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 100))
def test_cut_and_joined_again_is_the_same(n, cut, seed):
    whole, cut = full(n, seed=seed), min(cut, n)
    joined = Prediction.concatenate([whole.take(np.arange(cut)), whole.take(np.arange(n) >= cut)])
    for name in ("mean", "std", "lower", "upper", "samples"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.nominal == whole.nominal
    assert len(joined) == n


def test_take_keeps_what_is_absent_absent():
    part = Prediction(MEAN, np.ones(3)).take(np.array([2, 0]))
    assert part.mean.tolist() == [3.0, 1.0]
    assert part.lower is part.upper is part.samples is part.nominal is None


def test_joining_nothing_gives_an_empty_prediction():
    empty = Prediction.concatenate([])
    assert len(empty) == 0
    interval = empty.interval(0.9)
    assert interval is not None
    assert len(interval.lower) == 0


def test_shift_moves_everything_but_the_spread():
    before, by = full(), np.array([10.0, -20.0, 0.5])
    after = before.shifted(by)
    np.testing.assert_allclose(after.mean - before.mean, by)
    np.testing.assert_allclose(after.lower - before.lower, by)
    np.testing.assert_allclose(after.upper - before.upper, by)
    np.testing.assert_allclose(after.samples - before.samples, np.tile(by, (4, 1)))
    np.testing.assert_array_equal(after.std, before.std)


def test_gaussian_interval_from_a_standard_deviation():
    interval = Prediction(MEAN, np.array([0.0, 1.0, 2.0])).interval(0.9)
    assert interval is not None
    assert interval.rule == "gaussian"
    np.testing.assert_allclose(interval.upper, stats.norm.ppf(0.95, MEAN, [1e-300, 1.0, 2.0]))
    np.testing.assert_allclose(interval.lower, stats.norm.ppf(0.05, MEAN, [1e-300, 1.0, 2.0]))


def test_no_interval_from_bounds_alone():
    assert Prediction(MEAN, lower=MEAN - 1, upper=MEAN + 1, nominal=0.95).interval(0.95) is None


@pytest.mark.parametrize(
    ("m", "level", "rule"),
    [
        (100, 0.9, "quantile"),
        (99, 0.9, "student"),
        (200, 0.95, "quantile"),
        (199, 0.95, "student"),
        (20, 0.5, "quantile"),
        (19, 0.5, "student"),
        (1000, 0.99, "quantile"),
        (999, 0.99, "student"),
        (2, 0.5, "student"),
    ],
)
def test_quantiles_need_five_samples_beyond_each_end(m, level, rule):
    samples = np.random.default_rng(0).standard_normal((m, 3))
    interval = Prediction(samples.mean(0), samples=samples).interval(level)
    assert interval is not None
    assert interval.rule == rule


def test_quantile_interval_is_central():
    samples = np.linspace(0.0, 1.0, 1001)[:, None]
    interval = Prediction(np.array([0.5]), samples=samples).interval(0.9)
    assert interval is not None
    np.testing.assert_allclose([interval.lower[0], interval.upper[0]], [0.05, 0.95])


@pytest.mark.parametrize("m", [2, 5, 15])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_student_interval_covers_as_often_as_it_says(m, level):
    """Members and truth from one normal law: the interval of M members is an exact prediction interval."""
    n = 40_000
    draws = np.random.default_rng(m).standard_normal((m + 1, n))
    interval = Prediction(draws[1:].mean(0), samples=draws[1:]).interval(level)
    assert interval is not None
    assert interval.rule == "student"
    covered = np.mean((draws[0] >= interval.lower) & (draws[0] <= interval.upper))
    assert abs(covered - level) < 4 * np.sqrt(level * (1 - level) / n)


def test_quantiles_of_five_members_would_cover_far_less():
    """Why the rule is there: the central 95 % quantiles of 5 members hold some 65 % of truths."""
    draws = np.random.default_rng(5).standard_normal((6, 40_000))
    lower, upper = np.quantile(draws[1:], [0.025, 0.975], axis=0)
    assert np.mean((draws[0] >= lower) & (draws[0] <= upper)) < 0.68


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 95.0, float("nan")])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(UqbenchError, match=r"level is .*strictly between 0 and 1"):
        Prediction(MEAN, np.ones(3)).interval(level)
