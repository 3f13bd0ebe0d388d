"""Gaussian and sample scores against scoringrules, uncertainty-toolbox and integrals."""

import numpy as np
import pytest
import scoringrules
import uncertainty_toolbox as toolbox
from scipy.integrate import quad
from scipy.stats import norm

from uqbench.errors import UqbenchError
from uqbench.scores.gaussian import crps_gaussian, nll_gaussian, squared_z, zms
from uqbench.scores.samples import energy_score


@pytest.fixture(name="data")
def _data():
    rng = np.random.default_rng(5)
    return rng.normal(size=400), 10.0 ** rng.uniform(-3, 3, 400), 5.0 * rng.normal(size=400)


def test_crps_and_nll_equal_scoringrules_and_toolbox(data):
    mean, std, observed = data
    crps, nll = crps_gaussian(*data), nll_gaussian(*data)
    np.testing.assert_allclose(crps, scoringrules.crps_normal(observed, mean, std), rtol=1e-10, atol=1e-12)
    with np.errstate(divide="ignore"):
        logs = scoringrules.logs_normal(observed, mean, std)
    near = np.abs(observed - mean) < 30 * std  # scoringrules takes the log of a density that underflows
    np.testing.assert_allclose(nll[near], logs[near], rtol=1e-10)
    assert crps.mean() == pytest.approx(toolbox.crps_gaussian(mean, std, observed), rel=1e-10)
    assert nll.mean() == pytest.approx(toolbox.nll_gaussian(mean, std, observed), rel=1e-10)


def test_crps_is_the_integral_of_the_squared_distance_of_distributions():
    value = quad(lambda x: (norm.cdf(x, 0.3, 1.7) - (x >= 2.0)) ** 2, -30, 30, points=[2.0], limit=200)[0]
    assert crps_gaussian([0.3], [1.7], [2.0])[0] == pytest.approx(value, rel=1e-8)


def test_crps_of_a_vanishing_std_is_the_absolute_error():
    assert crps_gaussian([0.0], [1e-100], [0.5])[0] == 0.5


def test_calibrated_errors_have_zms_one():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 3.0, 100_000)
    assert zms(np.zeros_like(std), std, std * rng.normal(size=std.size)) == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(squared_z([1.0], [2.0], [4.0]), [2.25])


def test_a_std_too_small_to_square_z_is_an_error():
    with pytest.raises(UqbenchError, match="too small beside the error"):
        nll_gaussian([0.0], [1e-300], [0.5])


@pytest.mark.parametrize("score", [crps_gaussian, nll_gaussian, squared_z, zms])
@pytest.mark.parametrize("std", [0.0, -1.0, np.nan])
def test_a_std_that_is_not_positive_is_an_error(score, std):
    with pytest.raises(UqbenchError, match=r"std is .* at entry 1"):
        score([0.0, 0.0], [1.0, std], [0.0, 1.0])


def test_energy_score_equals_its_double_sum_across_blocks(monkeypatch):
    monkeypatch.setattr("uqbench.scores.samples.BLOCK_NUMBERS", 500)
    rng = np.random.default_rng(0)
    samples, observed = rng.normal(size=(7, 60)), rng.normal(size=60)
    x, y = samples.reshape(7, 20, 3), observed.reshape(20, 3)
    first = np.linalg.norm(x - y, axis=-1).mean(axis=0)
    second = np.linalg.norm(x[:, None] - x[None], axis=-1).mean(axis=(0, 1))
    np.testing.assert_allclose(energy_score(samples, observed, size=3), first - 0.5 * second, rtol=1e-10)


def test_energy_score_of_scalars_tends_to_the_gaussian_crps():
    quantiles = norm.ppf((np.arange(800) + 0.5) / 800)[:, None]
    assert energy_score(quantiles, [0.7], 1)[0] == pytest.approx(
        crps_gaussian([0.0], [1.0], [0.7])[0], rel=1e-3
    )


@pytest.mark.parametrize(
    ("samples", "size", "message"),
    [
        (np.zeros((1, 6)), 3, "m >= 2"),
        (np.zeros((4, 5)), 3, "shape"),
        (np.zeros((4, 6)), 4, "size is 4"),
        (np.full((4, 6), np.inf), 3, "24 values"),
    ],
)
def test_energy_score_refuses_ill_posed_samples(samples, size, message):
    with pytest.raises(UqbenchError, match=message):
        energy_score(samples, np.zeros(6), size)
