"""Calibration against closed forms, brute force, and the finite-sample bounds of conformal prediction."""

import numpy as np
import pytest
from scipy.stats import beta, norm

from uqbench.api import Prediction
from uqbench.errors import UqbenchError
from uqbench.scores.calibrate import (
    LEVELS,
    cluster_conformal_factor,
    conformal_factor,
    fit_calibration,
    fit_scale,
)
from uqbench.scores.gaussian import crps_gaussian


def mean_crps(a, c, error, std):
    return crps_gaussian(np.zeros_like(error), a * std + c, error).mean()


def test_two_equal_errors_have_a_closed_form():
    """dCRPS/dσ = 2φ(z) - 1/√π vanishes at z = √(ln 2)."""
    a, c = fit_scale(np.array([-3.0, 3.0]), np.array([0.5, 0.5]))
    assert (a, c) == (pytest.approx(3.0 / np.sqrt(np.log(2.0)) / 0.5, rel=1e-8), 0.0)


def test_calibrated_errors_need_no_change_and_a_known_distortion_is_undone():
    rng = np.random.default_rng(0)
    std = np.exp(rng.normal(size=100_000))
    a, c = fit_scale(std * rng.normal(size=std.size), std)
    assert a == pytest.approx(1.0, abs=0.02)
    assert c < 0.02
    a, c = fit_scale((3.0 * std + 0.7) * rng.normal(size=std.size), std)
    assert (a, c) == (pytest.approx(3.0, rel=0.02), pytest.approx(0.7, rel=0.05))


@pytest.mark.parametrize("case", ["plain", "decades", "useless", "some zero"])
def test_fit_is_at_least_as_good_as_a_brute_force_grid(case):
    rng = np.random.default_rng(1)
    std = {
        "plain": np.exp(rng.normal(size=300)),
        "decades": 10.0 ** rng.uniform(-6, 2, 300),
        "useless": rng.uniform(0.5, 2.0, 300),
        "some zero": np.repeat([0.0, 1.0], 150),
    }[case]
    error = rng.normal(size=300) * (1.0 / std if case == "useless" else 0.5 * std + 0.03)
    a, c = fit_scale(error, std)
    best = mean_crps(a, c, error, std)
    for trial in np.geomspace(1e-3, 1e3, 60):
        for floor in np.geomspace(1e-6, 1e2, 60):
            assert best <= mean_crps(trial, floor, error, std) * (1 + 1e-12)
    for near in (0.99, 1.01):
        assert best <= mean_crps(near * a, c, error, std) * (1 + 1e-12)
        assert best <= mean_crps(a, near * c + 1e-300, error, std) * (1 + 1e-12)
    if case == "useless":
        assert a == 0.0


def test_fit_does_not_depend_on_units():
    rng = np.random.default_rng(2)
    std = 10.0 ** rng.uniform(-4, 1, 400)
    error = (0.3 * std + 0.01) * rng.normal(size=400)
    a, c = fit_scale(error, std)
    for unit in (1e-6, 1e-3, 1e5):
        assert fit_scale(unit * error, unit * std) == (
            pytest.approx(a, rel=1e-7),
            pytest.approx(unit * c, rel=1e-7),
        )
    assert fit_scale(error, 100.0 * std) == (pytest.approx(a / 100.0, rel=1e-7), pytest.approx(c, rel=1e-7))


def test_scales_that_cannot_be_fitted_are_errors():
    with pytest.raises(UqbenchError, match="all 2 std are zero"):
        fit_scale(np.ones(2), np.zeros(2))
    with pytest.raises(UqbenchError, match="all 2 errors are zero"):
        fit_scale(np.zeros(2), np.ones(2))
    with pytest.raises(UqbenchError, match="std is -1"):
        fit_scale(np.ones(2), np.array([1.0, -1.0]))
    rng = np.random.default_rng(0)
    std = np.repeat([0.0, 1.0], [50, 300])
    with pytest.raises(UqbenchError, match=r"std is 0 at entry 0 .* must be positive"):
        fit_scale(std * rng.normal(size=350), std)


def test_conformal_factor_is_the_order_statistic_and_needs_enough_data():
    half = np.ones(19)
    error = np.arange(1.0, 20.0) * (-1.0) ** np.arange(19)
    assert conformal_factor(error, half, half, 0.95) == 19.0
    assert conformal_factor(error[:18], half[:18], half[:18], 0.95) is None
    assert conformal_factor(error, half, half, 0.5) == 10.0
    assert conformal_factor(error, 2 * half, 2 * half, 0.95) == 9.5


def test_lower_and_upper_errors_are_measured_on_their_own_side():
    error = np.array([-2.0, -4.0, 1.0])
    assert conformal_factor(error, np.full(3, 4.0), np.full(3, 0.5), 0.75) == 2.0
    assert conformal_factor(error, np.full(3, 0.5), np.full(3, 4.0), 0.75) == 8.0


def test_conformal_coverage_lies_within_its_finite_sample_bounds():
    """Given the calibration set, the coverage is Beta(k, n + 1 - k): here in mean and in spread."""
    rng = np.random.default_rng(3)
    n, level, k = 30, 0.9, 28
    factors = np.array(
        [conformal_factor(rng.normal(size=n), np.ones(n), np.ones(n), level) for _ in range(4000)]
    )
    coverage = 2.0 * norm.cdf(factors) - 1.0
    assert coverage.mean() == pytest.approx(k / (n + 1), abs=3 * beta(k, n + 1 - k).std() / np.sqrt(4000))
    assert level <= k / (n + 1) <= level + 1 / (n + 1)
    assert coverage.std() == pytest.approx(beta(k, n + 1 - k).std(), rel=0.05)


def test_cluster_factor_covers_new_clusters_where_the_pooled_one_does_not():
    """Errors shared within a cluster, some clusters large: an observation from a new cluster."""
    rng = np.random.default_rng(4)
    pooled, by_cluster = [], []
    for _ in range(1500):
        cluster = np.repeat(np.arange(20), [1] * 15 + [40] * 5)
        error = rng.normal(size=20)[cluster]
        half = np.ones(error.size)
        pooled.append(conformal_factor(error, half, half, 0.9))
        by_cluster.append(cluster_conformal_factor(error, half, half, cluster, 0.9))
    assert np.mean(2.0 * norm.cdf(by_cluster) - 1.0) == pytest.approx(19 / 21, abs=0.005)
    assert np.mean(2.0 * norm.cdf(pooled) - 1.0) < 0.87


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", [1, 9, 19, 20, 57])
def test_cluster_factor_with_single_observations_is_the_plain_one(n, level):
    rng = np.random.default_rng(n)
    error, half = rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    plain = conformal_factor(error, half, half, level)
    assert cluster_conformal_factor(error, half, half, np.arange(n), level) == plain


@pytest.fixture(name="gaussian")
def _gaussian():
    """Heavy-tailed errors, σ a third of what it should be; 60 clusters of 20."""
    rng = np.random.default_rng(5)
    std = np.exp(0.5 * rng.normal(size=1200))
    mean = rng.normal(size=1200)
    return Prediction(mean, std / 3.0), mean + std * rng.standard_t(4, 1200), np.repeat(np.arange(60), 20)


def test_calibrated_intervals_have_their_coverage_and_are_nested(gaussian):
    prediction, observed, cluster = gaussian
    calibration = fit_calibration(prediction, observed, cluster)
    assert (calibration.n, calibration.n_clusters, calibration.halved) == (1200, 60, False)
    assert calibration.a > 2.0
    result = calibration.apply(prediction)
    np.testing.assert_allclose(result.std, calibration.a * prediction.std + calibration.c)
    before = np.zeros(1200)
    for level in LEVELS:
        lower, upper = result.intervals[level]
        half = calibration.factors[level] * norm.ppf(0.5 * (1 + level)) * result.std
        np.testing.assert_allclose(upper - prediction.mean, half, rtol=1e-9)
        inside = np.mean((lower <= observed) & (observed <= upper))
        assert level - 1e-9 <= inside <= level + 2 / 1200
        assert np.all(upper - lower >= before)
        before = upper - lower


def test_bounds_alone_are_scaled_side_by_side():
    """Bounds with three times the room above: the sides keep their proportion, and cover."""
    rng = np.random.default_rng(6)
    size = rng.uniform(0.5, 2.0, 4000)
    observed = size * np.abs(rng.normal(size=4000)) * rng.choice([-1.0, 3.0], 4000)
    bounds = Prediction(np.zeros(4000), None, -0.1 * size, 0.3 * size, 1.0)
    calibration = fit_calibration(bounds, observed, np.repeat(np.arange(100), 40))
    assert calibration.c < 0.02
    lower, upper = calibration.apply(bounds).intervals[0.9]
    np.testing.assert_allclose(np.mean(upper) / np.mean(-lower), 3.0, rtol=0.05)
    for side in (observed > 0, observed < 0):
        assert np.mean((lower <= observed) & (observed <= upper), where=side) == pytest.approx(0.9, abs=0.03)


def test_many_clusters_are_halved_and_few_attain_only_low_levels(gaussian):
    prediction, observed, _ = gaussian
    calibration = fit_calibration(prediction, observed, np.arange(1200) % 240)
    assert calibration.halved
    odd = (np.arange(1200) % 240) % 2 == 1
    scaled = calibration.a * prediction.std + calibration.c
    half = norm.ppf(0.95) * scaled[odd]
    error = (observed - prediction.mean)[odd]
    assert calibration.factors[0.9] == pytest.approx(conformal_factor(error, half, half, 0.9), rel=1e-12)
    few = fit_calibration(prediction.take(np.arange(15)), observed[:15], np.repeat(np.arange(5), 3))
    assert few.factors[0.95] is None
    assert few.cluster_factors[0.9] is None
    assert set(few.apply(prediction).intervals) == {0.5, 0.68, 0.9}
    assert set(few.apply(prediction).cluster_intervals) == {0.5, 0.68}


def test_constant_baseline_is_scaled_only():
    rng = np.random.default_rng(7)
    prediction = Prediction(np.zeros(2000), np.full(2000, 5.0))
    calibration = fit_calibration(prediction, rng.normal(size=2000), np.arange(2000) // 20)
    assert calibration.c == 0.0
    assert calibration.a == pytest.approx(0.2, rel=0.05)


def test_what_cannot_be_calibrated_is_an_error(gaussian):
    prediction, observed, cluster = gaussian
    with pytest.raises(UqbenchError, match="neither std nor stated bounds"):
        fit_calibration(Prediction(prediction.mean), observed, cluster)
    with pytest.raises(UqbenchError, match="shape"):
        fit_calibration(prediction, observed[:-1], cluster)
    exact = fit_calibration(prediction, prediction.mean + prediction.std, cluster)
    assert exact.c == 0.0
    with pytest.raises(UqbenchError, match="calibrated std is 0 at entry 1"):
        exact.apply(Prediction(np.zeros(2), np.array([1.0, 0.0])))
    with pytest.raises(UqbenchError, match=r"level is 1\.5"):
        fit_calibration(prediction, observed, cluster, levels=(1.5,))
