"""The cluster bootstrap against brute force, the analytic cluster error and simulated coverage."""

import numpy as np
import pytest

from uqbench.errors import UqbenchError
from uqbench.scores.bootstrap import draw_resamples, percentile_score, ratio, whole_sample


def clustered(rng, n_clusters, size):
    """Values with a shared part a cluster: strongly correlated within."""
    cluster = np.repeat(np.arange(n_clusters), size)
    return rng.normal(size=n_clusters)[cluster] + 0.5 * rng.normal(size=n_clusters * size), cluster


@pytest.fixture(name="uneven")
def _uneven():
    """40 clusters of very different sizes, shuffled, with labels that are not running numbers."""
    rng = np.random.default_rng(8)
    cluster = np.repeat(100 - 2 * np.arange(40), rng.integers(1, 30, 40))
    rng.shuffle(cluster)
    return rng.standard_t(3, cluster.size), cluster, draw_resamples(cluster, np.random.default_rng(1))


def holds(score, truth):
    return score.low <= truth <= score.high


def explicit(resamples, row):
    """Indices of the observations of one resample, written out with their repetitions."""
    return np.repeat(np.arange(len(resamples.index)), resamples.counts[row].astype(int)[resamples.index])


def test_every_score_is_that_of_the_sample_written_out(uneven):
    values, _, resamples = uneven
    bins = (values > 0).astype(int) + (values > 1)
    mean, histogram = resamples.mean(values), resamples.histogram(bins, 3)
    sums = resamples.sums(np.stack([values, values**2], axis=1))
    quantiles = {level: resamples.order_statistic(values, level) for level in (0.05, 0.5, 0.95, 0.999)}
    for row in (0, 1, 2, 77, 2000):
        drawn = values[explicit(resamples, row)]
        np.testing.assert_allclose(mean[row], drawn.mean(), rtol=1e-9)
        np.testing.assert_allclose(sums[row], [drawn.sum(), drawn @ drawn], rtol=1e-9)
        np.testing.assert_array_equal(
            histogram[row], np.bincount(bins[explicit(resamples, row)], minlength=3)
        )
        for level, statistic in quantiles.items():
            assert statistic[row] == np.sort(drawn)[int(np.ceil(level * drawn.size)) - 1]


@pytest.mark.parametrize("n", [10, 11, 16, 17])
def test_order_statistic_of_few_values_and_ties(n):
    values = np.floor(np.arange(n) / 3.0)[::-1].copy()
    resamples = draw_resamples(np.arange(n), np.random.default_rng(0))
    for level in (0.01, 0.5, 0.99):
        statistic = resamples.order_statistic(values, level)
        for row in range(0, 200):
            drawn = np.sort(values[explicit(resamples, row)])
            assert statistic[row] == drawn[int(np.ceil(level * drawn.size)) - 1]


def test_whole_clusters_are_drawn_and_row_zero_is_the_sample(uneven):
    _, cluster, resamples = uneven
    assert resamples.counts.shape == (2001, 40)
    np.testing.assert_array_equal(resamples.counts[0], 1.0)
    np.testing.assert_array_equal(resamples.counts.sum(axis=1), 40.0)
    assert resamples.counts[1:].mean() == pytest.approx(1.0)
    assert resamples.counts[1:].var() == pytest.approx(1.0 - 1.0 / 40, rel=0.03)
    assert len(np.unique(np.stack([cluster, resamples.index]), axis=1).T) == 40


def test_standard_error_of_a_mean_is_the_analytic_cluster_one():
    values, cluster = clustered(np.random.default_rng(0), 200, 25)
    draws = draw_resamples(cluster, np.random.default_rng(1)).mean(values)[1:]
    of_clusters = values.reshape(200, 25).mean(axis=1)
    assert draws.std() == pytest.approx(of_clusters.std() / np.sqrt(200), rel=0.05)
    # Taking the components as independent would be four times too sure.
    assert draws.std() > 3.0 * values.std() / np.sqrt(values.size)


def test_intervals_of_clustered_data_cover_about_95_percent():
    """300 repetitions: binomial error 1.3 %; percentile intervals of 60 clusters are slightly short."""
    rng = np.random.default_rng(2)
    inside = {"mean": 0, "rmse": 0}
    for _ in range(300):
        values, cluster = clustered(rng, 60, 5)
        resamples = draw_resamples(cluster, rng)
        mean = percentile_score(resamples.mean(values))
        rmse = percentile_score(np.sqrt(resamples.mean(values**2)))
        inside["mean"] += holds(mean, 0.0)
        inside["rmse"] += holds(rmse, np.sqrt(1.25))
    assert 0.91 <= inside["mean"] / 300 <= 0.98
    assert 0.89 <= inside["rmse"] / 300 <= 0.98


def test_same_seed_same_interval_and_labels_do_not_matter(uneven):
    values, cluster, resamples = uneven
    again = draw_resamples(np.array([f"run {c:04d}" for c in cluster]), np.random.default_rng(1))
    np.testing.assert_array_equal(again.counts, resamples.counts)
    np.testing.assert_array_equal(again.mean(values), resamples.mean(values))


def test_too_few_clusters_are_an_error_that_names_the_least_number():
    with pytest.raises(UqbenchError, match=r"9 clusters are too few .* at least 10"):
        draw_resamples(np.repeat(np.arange(9), 50), np.random.default_rng(0))
    assert percentile_score(whole_sample([1, 1, 2]).mean(np.array([1.0, 2.0, 6.0]))).value == 3.0
    with pytest.raises(UqbenchError, match="empty"):
        whole_sample([])


def test_an_undefined_resample_gives_no_interval_and_an_undefined_value_an_error():
    score = percentile_score(np.array([1.0, 2.0, np.nan]))
    assert (score.value, score.low, score.high) == (1.0, None, None)
    with pytest.raises(UqbenchError, match="undefined"):
        percentile_score(np.array([np.nan, 1.0]))
    np.testing.assert_array_equal(ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])), [0.5, np.nan])
