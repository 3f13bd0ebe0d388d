"""Interval scores against definitions, scoringrules and what honest intervals must do."""

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from uqbench.errors import UqbenchError
from uqbench.scores.intervals import (
    covered,
    half_widths,
    interval_score,
    matched_coverage_scale,
    matched_coverage_width,
    miss_distance,
    side_ratio,
    width,
)


@pytest.fixture(name="data")
def _data():
    rng = np.random.default_rng(3)
    observed = rng.normal(size=500)
    lower = observed + rng.normal(size=500) - 1.0
    return lower, lower + rng.uniform(0.1, 4.0, 500), observed


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_interval_score_equals_scoringrules(data, level):
    lower, upper, observed = data
    other = scoringrules.interval_score(observed, lower, upper, 1.0 - level)
    np.testing.assert_allclose(interval_score(lower, upper, observed, level), other, rtol=1e-10)


def test_interval_score_is_minimised_by_the_true_quantiles():
    """On Gaussian data the mean score over shifted and scaled 90 % intervals is least at the honest one."""
    z = norm.ppf(np.linspace(0.0, 1.0, 20_001)[1:-1])
    half = norm.ppf(0.95)
    best = interval_score(np.full_like(z, -half), np.full_like(z, half), z, 0.9).mean()
    for shift, scale in [(0.1, 1.0), (-0.1, 1.0), (0.0, 1.1), (0.0, 0.9), (0.1, 1.1)]:
        bounds = np.full_like(z, shift - scale * half), np.full_like(z, shift + scale * half)
        assert interval_score(*bounds, z, 0.9).mean() > best
    # In closed form: width 2z, plus 2/α times twice E(x - z)₊ = φ(z) - z α/2, is 4 φ(z)/α.
    assert best == pytest.approx(4.0 * norm.pdf(half) / 0.1, rel=1e-3)


def test_a_miss_is_what_is_not_covered_and_intervals_are_closed(data):
    lower, upper, observed = data
    np.testing.assert_array_equal(
        miss_distance(lower, upper, observed) == 0.0, covered(lower, upper, observed)
    )
    np.testing.assert_array_equal(covered([0.0, 0.0], [1.0, 1.0], [0.0, 1.0]), [1.0, 1.0])


def test_scores_scale_and_shift_with_the_unit(data):
    lower, upper, observed = data
    moved = [1e-3 * x + 7.0 for x in data]
    np.testing.assert_allclose(
        interval_score(*moved, level=0.9), 1e-3 * interval_score(lower, upper, observed, 0.9), rtol=1e-9
    )
    np.testing.assert_array_equal(covered(*moved), covered(lower, upper, observed))


@given(n=st.integers(1, 200), level=st.sampled_from([0.5, 0.68, 0.9, 0.95]), seed=st.integers(0, 1000))
def test_matched_scale_gives_the_coverage_and_nothing_smaller_does(n, level, seed):
    rng = np.random.default_rng(seed)
    error, below, above = rng.standard_t(3, n), rng.uniform(0.1, 2.0, n), rng.uniform(0.1, 2.0, n)
    factor = matched_coverage_scale(below, above, error, level)

    def coverage(f):
        return np.mean((-f * below <= error) & (error <= f * above))

    least = np.ceil(level * n - 1e-9) / n
    assert coverage(factor * (1 + 1e-12)) == pytest.approx(least)
    assert coverage(factor * (1 - 1e-9)) < least
    np.testing.assert_allclose(
        matched_coverage_width(below, above, error, level), factor * np.mean(below + above), rtol=1e-12
    )


def test_matched_width_forgets_the_scale_of_the_bounds():
    rng = np.random.default_rng(0)
    error, half = rng.normal(size=300), rng.uniform(0.5, 1.5, 300)
    once = matched_coverage_width(half, 2 * half, error, 0.9)
    assert matched_coverage_width(10 * half, 20 * half, error, 0.9) == pytest.approx(once, rel=1e-12)


def test_the_side_of_the_error_counts():
    np.testing.assert_array_equal(
        side_ratio([1.0, 1.0, 0.0, 0.0], [4.0, 4.0, 1.0, 1.0], [-2, 2, -1, 0]), [2, 0.5, np.inf, 0]
    )
    below, above = half_widths([0.0], [-1e-12], [1.0])
    assert (below[0], above[0]) == (1e-12, 1.0)
    assert half_widths([0.0], [1e-12], [1.0])[0][0] == 0.0


def test_matched_scale_says_when_no_factor_will_do():
    with pytest.raises(UqbenchError, match="2 of 4 observations"):
        matched_coverage_scale([0.0] * 4, [1.0] * 4, [-1.0, -1.0, 0.5, 0.5], 0.9)
    assert matched_coverage_scale([0.0] * 4, [1.0] * 4, [-1.0, -1.0, 0.5, 0.25], 0.5) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: width([0.0, 1.0], [1.0, 1.0]), "width is 0 at entry 1"),
        (lambda: covered([1.0], [0.0], [0.5]), "width is -1 at entry 0"),
        (lambda: miss_distance([0.0], [1.0], [np.nan]), "observed is nan at entry 0"),
        (lambda: covered([0.0], [np.inf], [0.5]), "upper is inf"),
        (lambda: covered([0.0, 0.0], [1.0, 1.0], [0.5]), r"observed has shape \(1,\)"),
        (lambda: covered([], [], []), "empty"),
        (lambda: covered([[0.0]], [[1.0]], [[0.5]]), "shape"),
        (lambda: interval_score([0.0], [1.0], [0.5], 1.0), "level is 1.0"),
        (lambda: interval_score([0.0], [1.0], [0.5], 0.0), "level is 0.0"),
        (lambda: side_ratio([-1.0], [1.0], [0.5]), "half_lower is -1"),
        (lambda: side_ratio([0.0], [0.0], [0.5]), "width is 0"),
        (lambda: half_widths([2.0], [0.0], [1.0]), "upper - mean is -1"),
    ],
)
def test_ill_posed_input_is_an_error(call, message):
    with pytest.raises(UqbenchError, match=message):
        call()
