"""Width a·shape + c: the fit against linear programming, the posterior against its formulas."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import norm

from uqbench.linear.scaled_width import ScaledWidth, fit_width


def programme(error, shape, level):
    """Least mean of half + max(|e| - half, 0)/(1 - level), by linear programming over a, c and the excesses."""
    n = len(error)
    cost = np.concatenate([[shape.mean(), 1.0], np.full(n, 1.0 / (1.0 - level) / n)])
    constraint = np.column_stack([-shape, -np.ones(n), -np.eye(n)])
    return linprog(cost, A_ub=constraint, b_ub=-error, bounds=(0, None)).fun


def loss(a, c, error, shape, level):
    half = a * shape + c
    return np.mean(half + np.maximum(error - half, 0.0) / (1.0 - level))


def cases():
    rng = np.random.default_rng(0)
    shape = rng.lognormal(0.0, 1.0, 300)
    noise = np.abs(rng.standard_normal(300))
    small, large = np.full(480, 0.01), np.full(20, 1.0)
    return {
        "proportional": (shape * noise, shape),
        "floor and shape": ((0.5 + shape) * noise, shape),
        "constant": (noise, shape),
        "falls with shape": (noise / shape, shape),
        "grows faster than shape": (shape**2 * noise, shape),
        "few rows carry the shape": (
            np.concatenate([1e-3 * noise[:240], 1e-3 * noise[:240], noise[:20]]),
            np.concatenate([small, large]),
        ),
        "rows without shape": (np.where(shape > 1, shape, 0.1) * noise, np.where(shape > 1, shape, 0.0)),
        "one row": (np.array([2.0]), np.array([0.5])),
        "no errors": (np.zeros(20), shape[:20]),
    }


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("case", cases())
def test_fit_is_the_optimum_of_the_linear_programme(case, level):
    error, shape = cases()[case]
    a, c = fit_width(error, shape, level)
    assert a >= 0
    assert c >= 0
    best = programme(error, shape, level)
    assert loss(a, c, error, shape, level) == pytest.approx(best, rel=1e-5, abs=1e-12)


def test_fit_recovers_the_true_quantiles():
    """|error| of level quantile q(a₀ shape + c₀): a and c tend to q a₀ and q c₀."""
    rng = np.random.default_rng(1)
    shape = rng.uniform(0.0, 3.0, 40_000)
    error = np.abs(rng.standard_normal(40_000)) * (0.7 * shape + 0.4)
    a, c = fit_width(error, shape, 0.9)
    q = norm.ppf(0.95)
    assert a == pytest.approx(0.7 * q, rel=0.04)
    assert c == pytest.approx(0.4 * q, rel=0.06)


def test_fit_does_not_depend_on_units():
    error, shape = cases()["floor and shape"]
    a, c = fit_width(error, shape, 0.95)
    a2, c2 = fit_width(27.2 * error, 1e-3 * shape, 0.95)
    assert a2 == pytest.approx(27.2e3 * a, rel=1e-4)
    assert c2 == pytest.approx(27.2 * c, rel=1e-3)


def test_shape_of_zeros_gives_the_quantile_alone():
    error = np.arange(1.0, 101.0)
    a, c = fit_width(error, np.zeros(100), 0.9)
    assert a == 0.0
    assert 90.0 <= c <= 91.0


def posterior():
    factor = np.random.default_rng(3).standard_normal((4, 3))
    return ScaledWidth(np.arange(4.0), factor, {"energy": 2.0, "forces": 3.0}, {"forces": 0.5}, 0.95)


def test_bounds_hold_scale_times_shape_plus_floor():
    rows = np.random.default_rng(4).standard_normal((30, 4))
    width = posterior()
    shape = np.sqrt(np.diag(rows @ width.factor @ width.factor.T @ rows.T))
    for kind, half in (("energy", 2.0 * shape), ("forces", 3.0 * shape + 0.5), ("stress", 3.0 * shape)):
        found = width.predict_rows(rows, kind)
        np.testing.assert_allclose(found.mean, rows @ width.mean, rtol=1e-13)
        np.testing.assert_allclose(found.upper - found.mean, half, rtol=1e-10)
        np.testing.assert_allclose(found.mean - found.lower, half, rtol=1e-10)
        interval = found.interval(0.95)
        np.testing.assert_allclose(interval.upper, found.upper, rtol=1e-10)


def test_draws_have_the_scaled_covariance_of_forces():
    width = posterior()
    draws = width.samples(200_000, np.random.default_rng(5))
    expected = (3.0 / norm.ppf(0.975)) ** 2 * width.factor @ width.factor.T
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=0.02 * np.abs(expected).max())
    np.testing.assert_allclose(draws.mean(axis=0), width.mean, atol=0.02 * np.sqrt(expected.max()))
