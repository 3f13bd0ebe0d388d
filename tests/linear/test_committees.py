"""Bootstrap and baseline against brute-force refits."""

import numpy as np
from dense_problems import dense_problem

from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate
from uqbench.linear.resampling import cluster_bootstrap
from uqbench_methods.bayesian_linear import BayesianLinear
from uqbench_methods.bootstrap import Bootstrap
from uqbench_methods.constant import Constant


class FixedDraws:
    """A generator whose multinomial counts are given and whose shuffle does nothing."""

    def __init__(self, counts):
        self.counts = iter(counts)

    def shuffle(self, array):
        pass

    def multinomial(self, n, p):
        return next(self.counts)


def test_members_equal_refits_on_repeated_clusters(misspecified):
    rows, labels = misspecified
    cluster = np.arange(300) // 10
    problem = dense_problem({"forces": rows}, {"forces": labels}, {"forces": cluster})
    ridge = maximise_evidence(accumulate(problem))
    counts = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=4)
    members = cluster_bootstrap(problem, ridge, 4, FixedDraws(counts))
    scaled = rows / ridge.column_scale
    for draw, member in zip(counts, members, strict=True):
        repeated = np.repeat(np.arange(300), draw[cluster])
        x, y = scaled[repeated], labels[repeated]
        a = ridge.noise_precision[0]
        refit = np.linalg.solve(a * x.T @ x + ridge.prior_precision * np.eye(8), a * x.T @ y)
        np.testing.assert_allclose(member * ridge.column_scale, refit, rtol=1e-8)


def test_bootstrap_spread_is_the_sandwich_variance(misspecified):
    """With independent rows the bootstrap covariance tends to H⁻¹ (Σ e² x xᵀ) H⁻¹ (White 1980)."""
    rows, labels = misspecified
    problem = dense_problem({"forces": rows}, {"forces": labels})
    posterior = Bootstrap(members=4000).fit(problem, np.random.default_rng(0))
    inverse = np.linalg.inv(rows.T @ rows)
    residual = labels - rows @ inverse @ rows.T @ labels
    sandwich = inverse @ (rows * residual[:, None] ** 2).T @ rows @ inverse
    spread = np.cov(posterior.members.T)
    np.testing.assert_allclose(np.sqrt(np.diag(spread)), np.sqrt(np.diag(sandwich)), rtol=0.1)


def test_constant_states_the_training_rmse(misspecified):
    rows, labels = misspecified
    problem = dense_problem({"forces": rows}, {"forces": labels})
    prediction = Constant().fit(problem, np.random.default_rng(0)).predict_rows(rows, "forces")
    assert np.ptp(prediction.std) == 0
    np.testing.assert_allclose(
        prediction.std[0], np.sqrt(((labels - prediction.mean) ** 2).mean()), rtol=1e-9
    )


def test_bayesian_intervals_are_calibrated_when_the_model_is_right():
    """Well-specified data: 90 % intervals cover 90 % over 200 repeats, the epistemic ones far less of the labels."""
    rng = np.random.default_rng(11)
    hits, epistemic = [], []
    for _ in range(200):
        rows = rng.standard_normal((80, 4))
        theta = rng.standard_normal(4)
        labels = rows @ theta + 0.3 * rng.standard_normal(80)
        problem = dense_problem({"forces": rows[:60]}, {"forces": labels[:60]})
        for method, found in ((BayesianLinear(), hits), (BayesianLinear(noise=False), epistemic)):
            interval = method.fit(problem, rng).predict_rows(rows[60:], "forces").interval(0.9)
            found.append(((interval.lower <= labels[60:]) & (labels[60:] <= interval.upper)).mean())
    assert abs(np.mean(hits) - 0.9) < 0.015
    assert np.mean(epistemic) < 0.5
