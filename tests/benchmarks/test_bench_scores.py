"""Speed of the scores: 2,000 resamples of 300 clusters with 50,000 components in all."""

import numpy as np
import pytest
from scipy.stats import norm

from uqbench.api import Prediction
from uqbench.scores.bootstrap import draw_resamples
from uqbench.scores.calibrate import LEVELS, fit_calibration
from uqbench.scores.comparison import paired_difference
from uqbench.scores.intervals import interval_score
from uqbench.scores.summary import score_table


@pytest.fixture(name="data", scope="module")
def _data():
    rng = np.random.default_rng(0)
    cluster = np.sort(rng.integers(300, size=50_000))
    std = np.exp(rng.normal(size=50_000))
    return Prediction(np.zeros(50_000), std, -2 * std, 2 * std, 1.0), std * rng.normal(size=50_000), cluster


def test_bench_score_table(benchmark, data):
    prediction, observed, cluster = data
    std = prediction.std
    intervals = {p: (-norm.ppf(0.5 + p / 2) * std, norm.ppf(0.5 + p / 2) * std) for p in LEVELS}
    stated = (prediction.lower, prediction.upper, 1.0)

    def run():
        rng = np.random.default_rng(1)
        return score_table(
            observed, prediction.mean, cluster, rng, std=std, intervals=intervals, stated=stated
        )

    table = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    assert not table.reasons


def test_bench_resamples(benchmark, data):
    resamples = benchmark(lambda: draw_resamples(data[2], np.random.default_rng(1)))
    assert resamples.counts.shape == (2001, 300)


def test_bench_paired_difference(benchmark, data):
    prediction, observed, cluster = data
    a = interval_score(prediction.lower, prediction.upper, observed, 0.95)
    b = interval_score(1.1 * prediction.lower, 1.1 * prediction.upper, observed, 0.95)
    difference = benchmark.pedantic(
        lambda: paired_difference(a, b, cluster, np.random.default_rng(1)), rounds=5, warmup_rounds=1
    )
    assert 0.0 < difference.p_value <= 1.0


def test_bench_fit_calibration(benchmark, data):
    calibration = benchmark.pedantic(fit_calibration, args=data, rounds=5, warmup_rounds=1)
    assert calibration.halved
