"""The closed forms of the study against simulation that shares no code with it, and the draws against their moments."""

import numpy as np
import pytest

from uqbench.errors import UqbenchError
from uqbench.study.synthetic import Case, as_problem, draw, misfit_function
from uqbench.study.theory import epistemic_coverage, epistemic_coverage_misspecified, predictive_coverage

P = 4


def least_squares_intervals(case, repeats, n_test, rng):
    """Errors of labels and of the best fit, and s² and h, of plain least squares on draws: (repeats, n_test) each."""
    found = []
    for _ in range(repeats):
        theta = rng.standard_normal(P)
        train, test = draw(case, theta, case.n, rng), draw(case, theta, n_test, rng)
        fitted, rss, *_ = np.linalg.lstsq(train.rows, train.labels, rcond=None)
        variance = rss[0] / (case.n - P)
        leverage = np.sum(test.rows @ np.linalg.inv(train.rows.T @ train.rows) * test.rows, axis=1)
        mean = test.rows @ fitted
        found.append((test.labels - mean, test.best - mean, np.full(n_test, variance), leverage))
    return np.array(found).transpose(1, 0, 2)


def within(inside, expected, errors=4.0):
    """Whether the mean of inside (repeats, n) is expected up to `errors` standard errors over repeats."""
    share = inside.mean(axis=1)
    return abs(share.mean() - expected) < errors * share.std(ddof=1) / np.sqrt(len(share))


@pytest.mark.parametrize("n", [8, 40])
def test_well_specified_coverage_is_that_of_least_squares(n):
    rng = np.random.default_rng(n)
    labels, best, variance, h = least_squares_intervals(Case("well", n, 0.5, 0.0), 1500, 20, rng)
    expected = predictive_coverage(n, P)
    assert within(np.abs(labels) < 1.96 * np.sqrt(variance * (1.0 + h)), expected)
    assert within(np.abs(best) < 1.96 * np.sqrt(variance * h), expected)
    assert within(np.abs(labels) < 1.96 * np.sqrt(variance * h), epistemic_coverage(n, P))


def test_misspecified_epistemic_coverage_is_the_limit_of_least_squares():
    rng = np.random.default_rng(3)
    case = Case("miss", 2000, 0.05, 0.2)
    labels, _, variance, h = least_squares_intervals(case, 150, 400, rng)
    measured = np.mean(np.abs(labels) < 1.96 * np.sqrt(variance * h))
    assert measured == pytest.approx(epistemic_coverage_misspecified(case, P), rel=0.04)


def test_epistemic_coverage_falls_as_one_over_the_root_of_n():
    for coverage in (
        lambda n: epistemic_coverage(n, P),
        lambda n: epistemic_coverage_misspecified(Case("miss", n, 0.0, 1.0), P),
    ):
        assert coverage(400_000) / coverage(100_000) == pytest.approx(0.5, rel=0.02)


def test_without_misfit_both_limits_agree():
    well = epistemic_coverage_misspecified(Case("well", 100_000, 1.0, 0.0), P)
    assert well == pytest.approx(epistemic_coverage(100_000, P), rel=0.01)


def test_coverage_reaches_the_normal_level_with_data():
    assert predictive_coverage(10**6, P) == pytest.approx(0.95, abs=1e-5)
    assert predictive_coverage(100, P, level=0.5) == pytest.approx(0.5, abs=0.01)


def test_the_misfit_is_orthogonal_to_the_features_with_unit_variance():
    """E[g] = E[g x] = 0 and E[g²] = 1, exactly by quadrature in two dimensions."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    rows = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / weights.sum() ** 2
    g = misfit_function(rows)
    np.testing.assert_allclose(
        [weight @ g, *(weight @ (g[:, None] * rows)), weight @ g**2], [0, 0, 0, 1], atol=1e-12
    )


def test_labels_are_the_best_fit_plus_misfit_plus_noise():
    rng = np.random.default_rng(0)
    case = Case("mixed", 10, 0.3, 0.4)
    sample = draw(case, np.array([1.0, -2.0]), 200_000, rng)
    error = sample.labels - sample.best
    assert case.error == pytest.approx(0.5)
    assert error.std() == pytest.approx(0.5, rel=0.01)
    np.testing.assert_allclose(sample.rows.T @ error / len(error), 0.0, atol=0.01)
    noise = error - 0.4 * misfit_function(sample.rows)
    assert noise.std() == pytest.approx(0.3, rel=0.01)


def test_a_draw_is_one_block_of_single_row_clusters():
    sample = draw(Case("mixed", 5, 0.1, 0.1), np.ones(3), 5, np.random.default_rng(0))
    problem = as_problem(sample)
    (block,) = problem.blocks()
    np.testing.assert_array_equal(block.rows, sample.rows)
    assert block.cluster.tolist() == problem.clusters.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("numbers", [(1, 0.1, 0.1), (10, -0.1, 0.1), (10, 0.0, 0.0)])
def test_cases_without_an_error_are_refused(numbers):
    with pytest.raises(UqbenchError, match="case odd"):
        Case("odd", *numbers)
