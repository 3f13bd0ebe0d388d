"""Evidence maximisation against scikit-learn, finite differences and invariances."""

import numpy as np
import pytest
from dense_problems import dense_problem
from scipy.stats import multivariate_normal
from sklearn.linear_model import BayesianRidge

from uqbench.errors import UqbenchError
from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate


def fit(rows, labels):
    return maximise_evidence(accumulate(dense_problem({"energy": rows}, {"energy": labels})))


def test_matches_scikit_learn(misspecified):
    """Same λ, α, mean and covariance as BayesianRidge with flat hyper-priors on the same scaled matrix."""
    rows, labels = misspecified
    scaled = rows / np.sqrt((rows**2).mean(axis=0))
    reference = BayesianRidge(
        fit_intercept=False, tol=1e-14, max_iter=5000, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0
    ).fit(scaled, labels)
    ridge = fit(rows, labels)
    assert ridge.converged
    assert ridge.prior_precision == pytest.approx(reference.lambda_, rel=1e-6)
    assert ridge.noise_precision[0] == pytest.approx(reference.alpha_, rel=1e-6)
    np.testing.assert_allclose(ridge.mean * ridge.column_scale, reference.coef_, rtol=1e-6)
    covariance = (ridge.whitener * ridge.column_scale[:, None]) @ (
        ridge.whitener * ridge.column_scale[:, None]
    ).T
    np.testing.assert_allclose(covariance, reference.sigma_, rtol=1e-6, atol=1e-12)


def log_evidence(kinds_rows, kinds_labels, scale, alpha, lam):
    """Log density of the labels, straight from the marginal Gaussian N(0, XXᵀ/λ + noise)."""
    rows = np.concatenate([kinds_rows[k] for k in kinds_rows]) / scale
    labels = np.concatenate([kinds_labels[k] for k in kinds_rows])
    noise = np.concatenate(
        [np.full(len(kinds_labels[k]), 1 / a) for k, a in zip(kinds_rows, alpha, strict=True)]
    )
    return multivariate_normal(cov=rows @ rows.T / lam + np.diag(noise)).logpdf(labels)


def test_two_kinds_are_at_the_maximum_of_the_evidence():
    """The marginal likelihood, computed densely, is stationary in λ and every α at the fixed point."""
    rng = np.random.default_rng(1)
    theta = rng.standard_normal(5)
    rows = {"energy": rng.standard_normal((40, 5)), "forces": 3.0 * rng.standard_normal((90, 5))}
    labels = {
        "energy": rows["energy"] @ theta + 0.05 * rng.standard_normal(40),
        "forces": rows["forces"] @ theta + 0.7 * rng.standard_normal(90),
    }
    ridge = maximise_evidence(accumulate(dense_problem(rows, labels)))
    point = np.log([*ridge.noise_precision, ridge.prior_precision])

    def value(logs):
        *alpha, lam = np.exp(logs)
        return log_evidence(rows, labels, ridge.column_scale, alpha, lam)

    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-3
        assert abs(value(point + step) - value(point - step)) / 2e-3 < 1e-3
        assert value(point) > value(point + 300 * step)
        assert value(point) > value(point - 300 * step)


def test_one_kind_split_in_two_agrees_with_the_eigenbasis_path(misspecified):
    """Two kinds with the same rows and labels are one kind seen twice: both α equal, same mean as doubled data."""
    rows, labels = misspecified
    twice = maximise_evidence(
        accumulate(dense_problem({"energy": rows, "forces": rows}, {"energy": labels, "forces": labels}))
    )
    once = fit(np.concatenate([rows, rows]), np.concatenate([labels, labels]))
    np.testing.assert_allclose(twice.mean, once.mean, rtol=1e-7)
    np.testing.assert_allclose(twice.noise_precision, once.noise_precision[0], rtol=1e-6)


def test_predictions_do_not_depend_on_units(misspecified):
    rows, labels = misspecified
    units = np.geomspace(1e-3, 1e3, rows.shape[1])
    a, b = fit(rows, labels), fit(rows * units, 27.2 * labels)
    np.testing.assert_allclose(27.2 * (rows @ a.mean), (rows * units) @ b.mean, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("case", ["zero column", "duplicate columns", "more columns than rows", "one row"])
def test_degenerate_rows_give_finite_predictions(case, misspecified):
    rows, labels = misspecified
    if case == "zero column":
        rows = np.column_stack([rows, np.zeros(len(rows))])
    elif case == "duplicate columns":
        rows = np.column_stack([rows, rows])
    elif case == "more columns than rows":
        rows, labels = np.column_stack([rows[:5], rows[:5] ** 2]), labels[:5]
    else:
        rows, labels = rows[:1], labels[:1]
    ridge = fit(rows, labels)
    assert np.isfinite(ridge.mean).all()
    assert np.isfinite(ridge.whitener).all()
    assert (ridge.noise_precision > 0).all()


def test_duplicate_columns_share_their_coefficient(misspecified):
    rows, labels = misspecified
    once, twice = fit(rows, labels), fit(np.column_stack([rows, rows]), labels)
    np.testing.assert_allclose(twice.mean[:8], twice.mean[8:], rtol=1e-6)
    np.testing.assert_allclose(
        rows @ once.mean, np.column_stack([rows, rows]) @ twice.mean, atol=2e-3 * labels.std()
    )


def test_all_zero_labels_are_refused():
    with pytest.raises(UqbenchError, match="all training labels are zero"):
        fit(np.eye(4), np.zeros(4))


def test_rows_that_are_not_finite_are_refused(misspecified):
    rows, labels = misspecified
    rows = rows.copy()
    rows[3, 2] = np.nan
    with pytest.raises(UqbenchError, match="not finite"):
        fit(rows, labels)


def test_nearly_collinear_rows_settle_where_orthogonal_factors_do():
    """Rounding of normal equations, condition 1e10, keeps the updates from 1e-9; the same updates by SVD reach it."""
    rng = np.random.default_rng(3)
    mixed = np.linalg.qr(rng.standard_normal((12, 12)))[0] * np.logspace(0, -6, 12)
    rows = {kind: rng.standard_normal((n, 12)) @ mixed.T for kind, n in (("energy", 60), ("forces", 200))}
    theta = mixed @ rng.standard_normal(12)
    labels = {
        k: x @ theta + s * rng.standard_normal(len(x))
        for (k, x), s in zip(rows.items(), (1e-5, 1e-4), strict=True)
    }
    ridge = maximise_evidence(accumulate(dense_problem(rows, labels)))
    assert ridge.eigenvalues.max() / ridge.eigenvalues.min() > 1e10
    assert ridge.converged
    lam, alpha = by_svd(rows, labels, ridge.column_scale)
    np.testing.assert_allclose(ridge.noise_precision, alpha, rtol=1e-3)
    assert ridge.prior_precision == pytest.approx(lam, rel=1e-3)


def by_svd(rows, labels, scale):
    """MacKay's updates on the stacked, weighted rows."""
    xs, ys = [x / scale for x in rows.values()], list(labels.values())
    alpha, lam = np.array([len(y) / (y @ y) for y in ys]), 1.0
    for _ in range(2000):
        weighted = np.concatenate([np.sqrt(a) * x for a, x in zip(alpha, xs, strict=True)])
        left, sizes, right = np.linalg.svd(weighted, full_matrices=False)
        target = np.concatenate([np.sqrt(a) * y for a, y in zip(alpha, ys, strict=True)])
        mean = right.T @ (sizes / (sizes**2 + lam) * (left.T @ target))
        traces = [float((((x @ right.T) ** 2) / (sizes**2 + lam)).sum()) for x in xs]
        lam = float((sizes**2 / (sizes**2 + lam)).sum() / (mean @ mean))
        squares = [float(((y - x @ mean) ** 2).sum()) for x, y in zip(xs, ys, strict=True)]
        alpha = np.array(
            [(len(y) - a * t) / s for y, a, t, s in zip(ys, alpha, traces, squares, strict=True)]
        )
    return lam, alpha
