"""Fits whose scales are the weights: against scikit-learn on all rows as one, and what the noise of a kind is then."""

from dataclasses import replace

import numpy as np
import pytest
from dense_problems import dense_problem
from sklearn.linear_model import BayesianRidge

from uqbench.linear.evidence import fit_ridge
from uqbench_methods.bayesian_linear import BayesianLinear

SCALES = {"energy": 0.01, "forces": 0.5, "stress": 1.0}


def posed(weights="stated", scales=SCALES):
    """Two kinds that a model of five features cannot serve at once."""
    rng = np.random.default_rng(4)
    rows = {"energy": rng.standard_normal((40, 5)), "forces": rng.standard_normal((300, 5))}
    labels = {
        "energy": rows["energy"] @ np.array([1.0, -1.0, 0.5, 0.0, 2.0]) + 0.01 * rng.standard_normal(40),
        "forces": rows["forces"] @ np.array([1.3, -0.8, 0.5, 0.2, 1.5]) + 0.5 * rng.standard_normal(300),
    }
    rows = {k: x / scales[k] for k, x in rows.items()}
    labels = {k: y / scales[k] for k, y in labels.items()}
    problem = replace(dense_problem(rows, labels), scales=scales, weights=weights)
    return problem, np.concatenate(list(rows.values())), np.concatenate(list(labels.values()))


def test_all_kinds_share_one_noise_precision():
    """Mean and both precisions are BayesianRidge's on the weighted rows of both kinds as one."""
    problem, rows, labels = posed()
    ridge = fit_ridge(problem)
    reference = BayesianRidge(
        fit_intercept=False, tol=1e-14, max_iter=5000, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0
    ).fit(rows / ridge.column_scale, labels)
    np.testing.assert_allclose(ridge.noise_precision, reference.alpha_, rtol=1e-6)
    assert ridge.prior_precision == pytest.approx(reference.lambda_, rel=1e-6)
    np.testing.assert_allclose(ridge.mean * ridge.column_scale, reference.coef_, rtol=1e-6)
    assert ridge.facts["weights"] == "stated"


def test_so_they_do_where_each_feature_has_a_prior():
    facts = BayesianLinear(relevance=True).fit(posed()[0], np.random.default_rng(0)).facts
    assert facts["noise_precision_energy"] == facts["noise_precision_forces"]


def test_noise_of_a_kind_is_that_of_its_own_residuals():
    """Known kind by kind, with the degrees of freedom that the fit left it, though one precision weighs all."""
    problem, rows, labels = posed()
    ridge = fit_ridge(problem)
    hat = ridge.noise_precision[0] * np.sum((rows @ ridge.whitener) ** 2, axis=1)
    residual = labels - rows @ ridge.mean
    for k, part in enumerate((slice(0, 40), slice(40, 340))):
        expected = np.sqrt(residual[part] @ residual[part] / np.sum(1.0 - hat[part]))
        assert ridge.noise[k] == pytest.approx(expected, rel=1e-9)
    noise = BayesianLinear().fit(problem, np.random.default_rng(0)).noise
    assert noise["forces"] == pytest.approx(ridge.noise[1] * SCALES["forces"])


def test_evidence_has_the_noise_that_weighs():
    ridge = fit_ridge(posed("evidence")[0])
    np.testing.assert_allclose(ridge.noise, 1.0 / np.sqrt(ridge.noise_precision), rtol=1e-8)
    assert ridge.facts["weights"] == "evidence"


def test_scales_decide_only_if_they_are_the_weights():
    """A smaller σ of energies brings the fit nearer to them if stated, and next to nothing if the evidence decides."""
    finer = SCALES | {"energy": 0.0001}

    def energy_rms(weights, scales):
        return fit_ridge(posed(weights, scales)[0]).residual_rms[0] * scales["energy"]

    assert energy_rms("stated", finer) < 0.5 * energy_rms("stated", SCALES | {"energy": 1.0})
    assert energy_rms("evidence", finer) == pytest.approx(energy_rms("evidence", SCALES), rel=1e-4)
