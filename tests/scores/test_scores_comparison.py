"""Paired comparisons and Holm's adjustment against a hand example, theory and simulation."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from uqbench.errors import UqbenchError
from uqbench.scores.comparison import holm, paired_difference, paired_ratio


@pytest.fixture(name="pair")
def _pair():
    """Two methods whose scores differ little beside what they share."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(100), 8)
    shared = 10.0 * rng.normal(size=800)
    return shared + 0.3 * rng.normal(size=100)[cluster] + 0.08, shared, cluster


def test_pairing_removes_what_methods_share(pair):
    a, b, cluster = pair
    difference = paired_difference(a, b, cluster, np.random.default_rng(1))
    assert difference.value == pytest.approx(np.mean(a - b), rel=1e-9)
    assert difference.high - difference.low < 0.2
    by_cluster = (a - b).reshape(100, 8).mean(axis=1)
    _, p_value = ttest_1samp(by_cluster, 0.0)
    assert difference.p_value == pytest.approx(p_value, abs=0.02)
    assert difference.low == pytest.approx(by_cluster.mean() - 1.98 * by_cluster.std(ddof=1) / 10, abs=0.01)


def test_swapping_the_methods_flips_the_sign_and_keeps_the_p_value(pair):
    a, b, cluster = pair
    forth = paired_difference(a, b, cluster, np.random.default_rng(1))
    back = paired_difference(b, a, cluster, np.random.default_rng(1))
    assert (back.value, back.low, back.high, back.p_value) == pytest.approx(
        (-forth.value, -forth.high, -forth.low, forth.p_value)
    )


def test_p_value_reaches_the_level_where_the_interval_reaches_zero(pair):
    a, b, cluster = pair
    low = paired_difference(a, b, cluster, np.random.default_rng(1)).low
    # Student's t of a hundred clusters is a little wider than the bootstrap.
    assert 0.048 < paired_difference(a - low, b, cluster, np.random.default_rng(1)).p_value < 0.065


def test_equal_methods_tie_and_distant_ones_do_not(pair):
    a, b, cluster = pair
    assert paired_difference(a, a, cluster, np.random.default_rng(1)).p_value == 1.0
    assert paired_difference(b + 100.0, b, cluster, np.random.default_rng(1)).p_value == pytest.approx(
        2 / 20_001
    )


def test_p_values_are_uniform_under_no_difference(monkeypatch):
    monkeypatch.setattr("uqbench.scores.comparison.PAIRED_RESAMPLES", 500)
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(60), 3)
    p = [
        paired_difference(rng.normal(size=60)[cluster], np.zeros(180), cluster, rng).p_value
        for _ in range(400)
    ]
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=0.05)


def test_blocks_of_resamples_add_up(pair, monkeypatch):
    monkeypatch.setattr("uqbench.scores.comparison.BLOCK_NUMBERS", 1234)
    monkeypatch.setattr("uqbench.scores.comparison.PAIRED_RESAMPLES", 1001)
    a, b, cluster = pair
    assert paired_difference(a + 50, b, cluster, np.random.default_rng(1)).p_value == pytest.approx(2 / 1002)


def test_ratio_to_a_baseline():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(200), 4)
    base = rng.uniform(1.0, 3.0, 800)
    score = paired_ratio(base * (0.8 + 0.1 * rng.normal(size=800)), base, cluster, rng)
    assert np.all(np.diff(np.array([0.785, score.low, 0.8, score.high, 0.815], dtype=float)) > 0)
    with pytest.raises(UqbenchError, match="mean of b is zero"):
        paired_ratio(base, np.zeros(800), cluster, rng)


def test_holm_by_hand():
    """Sorted .005 .01 .03 .04 times 4 3 2 1 is .02 .03 .06 .04; never less than the one before."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])
    assert holm([]).size == 0
    with pytest.raises(UqbenchError, match="probabilities"):
        holm([0.1, np.nan])


def test_holm_keeps_the_family_wise_error():
    """Ten true null hypotheses: some adjusted p below 5 % in about 5 % of the tables (Bonferroni: 4.9 %)."""
    rng = np.random.default_rng(0)
    wrong = np.mean([np.any(holm(rng.uniform(size=10)) < 0.05) for _ in range(4000)])
    assert wrong == pytest.approx(1.0 - 0.995**10, abs=0.012)


def test_ill_posed_comparisons_are_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(UqbenchError, match="at least 10"):
        paired_difference(np.ones(9), np.ones(9), np.arange(9), rng)
    with pytest.raises(UqbenchError, match="cluster has shape"):
        paired_difference(np.ones(20), np.ones(20), np.arange(19), rng)
    with pytest.raises(UqbenchError, match="b is inf"):
        paired_ratio(np.ones(20), np.full(20, np.inf), np.arange(20), rng)
