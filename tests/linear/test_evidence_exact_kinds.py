"""Kinds of label that a model fits exactly, or not at all: precisions stay finite and the other kinds keep theirs."""

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate


def two_kinds(n_energies, energy_noise):
    rng = np.random.default_rng(4)
    theta = rng.standard_normal(12)
    rows = {"energy": rng.standard_normal((n_energies, 12)), "forces": 3.0 * rng.standard_normal((200, 12))}
    labels = {
        "energy": rows["energy"] @ theta + energy_noise * rng.standard_normal(n_energies),
        "forces": rows["forces"] @ theta + 0.5 * rng.standard_normal(200),
    }
    return rows, labels


@pytest.mark.parametrize("n_energies", [1, 5, 12, 40])
@pytest.mark.parametrize("zero", [False, True])
def test_exact_energies_leave_the_noise_of_forces_as_it_is(n_energies, zero):
    """Energies without noise, or all zero as with one composition: the force noise is found all the same."""
    rows, labels = two_kinds(n_energies, 0.0)
    if zero:
        labels["energy"] = np.zeros(n_energies)
        rows["energy"][:] = 0.0
    ridge = maximise_evidence(accumulate(dense_problem(rows, labels, n_blocks=1)))
    assert np.isfinite(ridge.mean).all()
    assert np.isfinite(ridge.whitener).all()
    assert np.isfinite(ridge.noise_precision).all()
    assert 1 / np.sqrt(ridge.noise_precision[1]) == pytest.approx(0.5, rel=0.15)
    np.testing.assert_allclose(rows["energy"] @ ridge.mean, labels["energy"], atol=0.3)


@pytest.mark.parametrize("kinds", [("energy",), ("energy", "forces")])
def test_rows_that_explain_nothing_give_vanishing_coefficients(kinds):
    """Labels orthogonal to every column: the prior grows until nothing is fitted, and numbers stay finite."""
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.standard_normal((50, 6)))[0]
    rows = dict.fromkeys(kinds, basis[:, :5])
    labels = dict.fromkeys(kinds, basis[:, 5])
    ridge = maximise_evidence(accumulate(dense_problem(rows, labels)))
    assert np.isfinite(ridge.prior_precision)
    assert np.isfinite(ridge.noise_precision).all()
    assert np.abs(ridge.mean).max() < 1e-3
    np.testing.assert_allclose(ridge.residual_rms, np.sqrt(1 / 50), rtol=1e-3)
