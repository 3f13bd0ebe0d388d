"""Conformalised quantile regression: finite-sample coverage, adaptivity, and forces left constant."""

from dataclasses import replace

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.scores.calibrate import cluster_conformal_factor
from uqbench_methods.cqr import Cqr, _conformal

pytest.importorskip("sklearn", reason="needs scikit-learn")


def heteroscedastic(rng, n):
    """Energies whose noise is ten times larger on one side of a feature."""
    rows = rng.standard_normal((n, 4))
    noise = np.where(rows[:, 0] > 0, 0.5, 0.05)
    return rows, rows @ np.arange(1.0, 5.0) + noise * rng.standard_normal(n), noise


def test_coverage_is_within_its_finite_sample_bounds():
    """Mean coverage over repeats lies in [level, level + 1/(n + 1)], n energies kept back (Romano et al., thm 1)."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(25):
        rows, labels, _ = heteroscedastic(rng, 320)
        fitted = Cqr(trees=30).fit(dense_problem({"energy": rows}, {"energy": labels}), rng)
        test, truth, _ = heteroscedastic(rng, 400)
        bounds = fitted.predict_rows(test, "energy")
        found.append(np.mean((bounds.lower <= truth) & (truth <= bounds.upper)))
    error = np.std(found) / np.sqrt(len(found))
    assert 0.95 - 3 * error < np.mean(found) < 0.95 + 1 / 81 + 3 * error


@pytest.mark.parametrize(
    ("clusters", "each", "p", "nominal"), [(160, 1, 80, 0.95), (120, 1, 60, 0.95), (24, 14, 6, 12 / 13)]
)
def test_coverage_is_that_stated_with_few_rows_a_feature_and_errors_that_clusters_share(
    clusters, each, p, nominal
):
    """In-sample residuals are far too small with two rows a feature, and ranks over rows with shared errors."""
    rng = np.random.default_rng(4)

    def draw(n):
        rows = rng.standard_normal((n * each, p))
        error = np.repeat(rng.standard_normal(n), each) + 0.2 * rng.standard_normal(n * each)
        return rows, rows @ np.ones(p) + error, np.repeat(np.arange(n), each)

    found = []
    for _ in range(30):
        rows, labels, cluster = draw(clusters)
        problem = dense_problem({"energy": rows}, {"energy": labels}, {"energy": cluster})
        test, truth, _ = draw(200)
        bounds = Cqr(trees=1).fit(problem, rng).predict_rows(test, "energy")
        assert bounds.nominal == pytest.approx(nominal)
        gaussian = bounds.interval(nominal)
        np.testing.assert_allclose(gaussian.upper - gaussian.lower, bounds.upper - bounds.lower, rtol=1e-6)
        found.append(np.mean((bounds.lower <= truth) & (truth <= bounds.upper)))
    assert np.mean(found) > nominal - 3 * np.std(found) / np.sqrt(len(found))


def test_neither_trees_nor_their_ridge_see_the_clusters_kept_back():
    """A spoiled cluster leaves both quantiles and the coefficients they are of alone if kept back, and only then."""
    rng = np.random.default_rng(5)
    rows, labels, _ = heteroscedastic(rng, 200)
    cluster = np.arange(200) // 10

    def fitted(y):
        problem = dense_problem({"energy": rows}, {"energy": y}, {"energy": cluster})
        found = Cqr(trees=2).fit(problem, np.random.default_rng(6))
        return found, (found.learned, found.lower.predict(rows), found.upper.predict(rows))

    plain, parts = fitted(labels)
    blind = []
    for c in range(20):
        spoiled = labels + np.where(cluster == c, 50.0 * (-1.0) ** np.arange(200), 0.0)
        found, moved = fitted(spoiled)
        same = [np.array_equal(a, b) for a, b in zip(parts, moved, strict=True)]
        assert all(same) or not any(same)
        blind.append(all(same))
        assert not np.array_equal(found.mean, plain.mean)
        assert found.widen > plain.widen or not blind[-1]
    assert sum(blind) == plain.facts["kept_back_clusters"] == 10


def test_the_mean_is_that_of_the_fit_to_all_clusters():
    rng = np.random.default_rng(7)
    rows, labels, _ = heteroscedastic(rng, 60)
    problem = dense_problem({"energy": rows}, {"energy": labels})
    fitted = Cqr(trees=1).fit(problem, rng)
    np.testing.assert_array_equal(fitted.mean, fit_ridge(problem).mean)
    assert np.abs(fitted.learned - fitted.mean).max() > 1e-4
    bounds = fitted.predict_rows(rows, "energy")
    centre = rows @ fitted.learned
    lower = centre + fitted.lower.predict(rows) - fitted.widen
    np.testing.assert_allclose(bounds.lower, np.minimum(lower, bounds.mean), rtol=1e-12)


@pytest.mark.parametrize("clusters", [19, 50])
def test_the_conformal_step_weighs_clusters_as_the_calibration_of_the_suite_does(clusters):
    rng = np.random.default_rng(8)
    cluster = np.concatenate([np.arange(clusters), rng.integers(0, clusters, 200)])
    score = np.abs(rng.standard_normal(len(cluster))) + np.arange(len(cluster)) % 7
    ones = np.ones(len(score))
    found, level = _conformal(score, cluster)
    assert level == 0.95
    assert found == cluster_conformal_factor(score, ones, ones, cluster, 0.95)


def test_with_few_clusters_the_largest_score_is_taken_and_less_is_stated():
    assert _conformal(np.array([0.1, 3.0, -2.0, 0.2]), np.array([0, 0, 4, 7])) == (3.0, 0.75)


def test_a_kind_not_trained_on_errs_as_forces_do_in_units_of_its_scale():
    """Not by the noise of another kind as it stands: kinds have different units."""
    rng = np.random.default_rng(9)
    rows, labels, _ = heteroscedastic(rng, 60)
    scales = {"energy": 5.0, "forces": 0.1, "stress": 1e-3}
    problem = replace(
        dense_problem({"energy": rows, "forces": rows}, {"energy": labels, "forces": 2 * labels}),
        scales=scales,
    )
    fitted = Cqr(trees=1).fit(problem, rng)
    forces, stress = (fitted.predict_rows(rows, k).std[0] for k in ("forces", "stress"))
    assert stress == pytest.approx(1e-2 * forces, rel=1e-12)
    one = replace(dense_problem({"energy": rows}, {"energy": labels}), scales=scales)
    fitted = Cqr(trees=1).fit(one, rng)
    assert fitted.noise["stress"] == pytest.approx(2e-4 * fitted.noise["energy"], rel=1e-12)


def test_bounds_are_wider_where_the_noise_is():
    rng = np.random.default_rng(1)
    rows, labels, noise = heteroscedastic(rng, 800)
    bounds = Cqr().fit(dense_problem({"energy": rows}, {"energy": labels}), rng).predict_rows(rows, "energy")
    width = bounds.upper - bounds.lower
    assert width[noise > 0.1].mean() > 3 * width[noise < 0.1].mean()


def test_forces_are_constant():
    rng = np.random.default_rng(2)
    rows, labels, _ = heteroscedastic(rng, 60)
    problem = dense_problem({"energy": rows, "forces": rows}, {"energy": labels, "forces": labels})
    prediction = Cqr(trees=5).fit(problem, rng).predict_rows(rows, "forces")
    assert np.ptp(prediction.std) == 0
    assert prediction.lower is None


def test_too_few_energies_are_refused():
    rng = np.random.default_rng(3)
    rows, labels, _ = heteroscedastic(rng, 9)
    with pytest.raises(UqbenchError, match="9 training energies; at least 10"):
        Cqr().fit(dense_problem({"energy": rows}, {"energy": labels}), rng)
