"""Rank correlation against scipy, and the attainable value against what can be computed by hand."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from uqbench.errors import UqbenchError
from uqbench.scores.ranking import attainable_spearman, average_ranks, correlation_from_sums, spearman


def test_ranks_and_spearman_equal_scipy_with_ties():
    rng = np.random.default_rng(0)
    error = np.round(10.0 * np.abs(rng.normal(size=300)))
    std = np.round(10.0 * rng.uniform(0.1, 1.0, 300))
    np.testing.assert_array_equal(average_ranks(error), rankdata(error))
    statistic, _ = spearmanr(error, std)
    assert spearman(error, std) == pytest.approx(statistic, rel=1e-12)


def test_attainable_is_what_calibrated_errors_show():
    """Two σ far apart: |e| is ranked by group and at random within, so the correlation is known: √(3/4)."""
    rng = np.random.default_rng(0)
    assert attainable_spearman(np.repeat([1e-6, 1e6], 2000), rng) == pytest.approx(np.sqrt(0.75), abs=0.01)
    std = np.exp(rng.normal(size=20_000))
    seen = spearman(np.abs(std * rng.normal(size=std.size)), std)
    assert attainable_spearman(std, rng) == pytest.approx(seen, abs=0.02)


def test_attainable_grows_with_the_spread_of_sigma():
    z = np.random.default_rng(1).normal(size=2000)
    values = [attainable_spearman(np.exp(s * z), np.random.default_rng(2)) for s in (0.1, 0.5, 2.0)]
    assert np.all(np.diff(np.array([0.0, *values, 1.0], dtype=float)) > 0.0)


def test_constant_sigma_has_no_rank_correlation():
    std = np.full(50, 0.1) * (1.0 + 1e-15 * np.arange(50))
    assert spearman(np.arange(50.0), std) is None
    assert spearman(np.ones(50), np.arange(50.0)) is None
    assert attainable_spearman(std, np.random.default_rng(0)) is None


def test_correlation_from_sums_is_pearson_and_undefined_without_variance():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40))
    sums = np.array([40.0, x.sum(), y.sum(), x @ x, y @ y, x @ y])
    assert correlation_from_sums(sums) == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)
    assert np.isnan(correlation_from_sums(np.array([3.0, 0.9, 6.0, 0.27, 14.0, 1.8])))


def test_ill_posed_rankings_are_errors():
    with pytest.raises(UqbenchError, match="at least 3"):
        spearman([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(UqbenchError, match="abs_error is -1"):
        spearman([1.0, -1.0, 0.0], [1.0, 2.0, 3.0])
    with pytest.raises(UqbenchError, match="at least 3"):
        attainable_spearman([1.0, 2.0], np.random.default_rng(0))
