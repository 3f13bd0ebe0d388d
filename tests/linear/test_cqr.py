"""Conformalised quantile regression: finite-sample coverage, adaptivity, and forces left constant."""

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.errors import UqbenchError
from uqbench_methods.cqr import Cqr

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
