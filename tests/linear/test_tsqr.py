"""Ill-conditioned rows: TSQR against SVD and the well-conditioned limit."""

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.linear.evidence import fit_ridge, maximise_evidence, refine
from uqbench.linear.normal import accumulate


def test_well_conditioned_rows_give_the_same_by_either_way(misspecified):
    rows, labels = misspecified
    problem = dense_problem(
        {"energy": rows, "forces": 2 * rows[::-1]}, {"energy": labels, "forces": 3 * labels}
    )
    normal = accumulate(problem)
    plain = maximise_evidence(normal)
    refined = refine(problem, normal, plain)
    np.testing.assert_allclose(refined.mean, plain.mean, rtol=1e-11)
    np.testing.assert_allclose(refined.eigenvalues, plain.eigenvalues, rtol=1e-11)
    np.testing.assert_allclose(
        refined.whitener @ refined.whitener.T, plain.whitener @ plain.whitener.T, rtol=1e-9
    )
    np.testing.assert_allclose(refined.residual_rms, plain.residual_rms, rtol=1e-9)
    np.testing.assert_allclose(refined.mean_leverage, plain.mean_leverage, rtol=1e-9)


def monomials():
    """A smooth function in powers of x on [0, 1]: the usual ill-conditioned regression."""
    x = np.linspace(0.0, 1.0, 600)
    return x[:, None] ** np.arange(10), np.exp(3.0 * x)


def test_ill_conditioned_rows_fall_back_to_tsqr():
    """Residuals of the ridge equal those of an augmented least-squares problem solved by SVD."""
    rows, labels = monomials()
    ridge = fit_ridge(dense_problem({"forces": rows}, {"forces": labels}))
    assert ridge.solver == "TSQR"
    scaled = rows / ridge.column_scale
    augmented = np.concatenate(
        [np.sqrt(ridge.noise_precision[0]) * scaled, np.sqrt(ridge.prior_precision) * np.eye(10)]
    )
    target = np.concatenate([np.sqrt(ridge.noise_precision[0]) * labels, np.zeros(10)])
    expected = scaled @ np.linalg.lstsq(augmented, target, rcond=None)[0]
    np.testing.assert_allclose(rows @ ridge.mean, expected, atol=1e-12 * np.abs(labels).max())
    assert ridge.residual_rms[0] == pytest.approx(np.sqrt(np.mean((labels - expected) ** 2)), rel=1e-6)


def test_predictions_do_not_depend_on_the_scale_of_a_column():
    rows, labels = monomials()
    units = np.geomspace(1e-4, 1e5, 10)
    a = fit_ridge(dense_problem({"forces": rows}, {"forces": labels}))
    b = fit_ridge(dense_problem({"forces": rows * units}, {"forces": labels}))
    np.testing.assert_allclose(rows @ a.mean, (rows * units) @ b.mean, atol=1e-6)


def test_well_conditioned_rows_take_no_second_pass(misspecified):
    rows, labels = misspecified
    assert fit_ridge(dense_problem({"forces": rows}, {"forces": labels})).solver == "normal equations"
