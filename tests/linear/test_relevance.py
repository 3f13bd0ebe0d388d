"""Automatic relevance determination against scikit-learn, the evidence itself, and a planted sparse truth."""

import numpy as np
from dense_problems import dense_problem
from scipy.stats import multivariate_normal
from sklearn.linear_model import ARDRegression

from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate
from uqbench.linear.relevance import determine_relevance


def sparse(n=120, p=12, noise=0.1):
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((n, p))
    theta = np.zeros(p)
    theta[[1, 4, 7]] = [2.0, -1.0, 0.5]
    return rows, rows @ theta + noise * rng.standard_normal(n), theta


def fit(rows, labels):
    normal = accumulate(dense_problem({"forces": rows}, {"forces": labels}))
    return determine_relevance(normal, maximise_evidence(normal))


def test_irrelevant_features_are_switched_off():
    rows, labels, theta = sparse()
    ridge = fit(rows, labels)
    assert ridge.converged
    off = theta == 0
    assert np.abs(ridge.mean[off]).max() < 0.05
    np.testing.assert_allclose(ridge.mean[~off], theta[~off], atol=0.05)
    assert (ridge.prior_precision[off].min() > 10 * ridge.prior_precision[~off]).all()


def test_predictions_equal_scikit_learn():
    rows, labels, _ = sparse()
    reference = ARDRegression(
        fit_intercept=False,
        max_iter=5000,
        tol=1e-12,
        threshold_lambda=1e12,
        alpha_1=0,
        alpha_2=0,
        lambda_1=0,
        lambda_2=0,
    ).fit(rows / np.sqrt((rows**2).mean(axis=0)), labels)
    ridge = fit(rows, labels)
    np.testing.assert_allclose(rows @ ridge.mean, rows / ridge.column_scale @ reference.coef_, atol=2e-4)


def test_the_evidence_is_stationary_in_the_precisions_of_relevant_features():
    rows, labels, theta = sparse()
    ridge = fit(rows, labels)
    scaled = rows / ridge.column_scale

    def evidence(lam):
        cov = (scaled / lam) @ scaled.T + np.eye(len(labels)) / ridge.noise_precision[0]
        return multivariate_normal(cov=cov).logpdf(labels)

    for i in np.flatnonzero(theta):
        step = np.ones(len(theta))
        step[i] = np.exp(1e-2)
        slope = evidence(ridge.prior_precision * step) - evidence(ridge.prior_precision / step)
        assert abs(slope) / 2e-2 < 1e-3
