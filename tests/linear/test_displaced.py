"""Fits about given coefficients: the same posterior, moved, with the prior about them."""

import numpy as np
import pytest
from atomic_problem import atomic_problem, stacked
from conftest import dense_problem

from uqbench.linear.displaced import Displaced, about
from uqbench.linear.evidence import fit_ridge
from uqbench_methods.bayesian_linear import BayesianLinear
from uqbench_methods.bootstrap import Bootstrap
from uqbench_methods.pops import Pops


def test_what_rows_do_not_determine_stays_with_the_origin():
    """Rows span two of five directions; labels are those of the origin but for one of the two."""
    rng = np.random.default_rng(0)
    origin = rng.standard_normal(5) * 30.0
    plane = rng.standard_normal((2, 5))
    rows = rng.standard_normal((200, 2)) @ plane
    moved = origin + np.linalg.pinv(plane)[:, 0]
    labels = rows @ moved + 1e-4 * rng.standard_normal(200)
    problem = dense_problem({"forces": rows}, {"forces": labels})
    found = Displaced(BayesianLinear().fit(about(problem, origin), rng), origin)
    outside = np.linalg.svd(plane)[2][2:]
    scaled = fit_ridge(problem).column_scale
    # Ridge shrinks in scaled columns: what it leaves alone is what rows · Δ = 0 leaves, in that metric.
    assert np.linalg.norm(rows @ (found.mean - moved)) < 1e-2
    shift = (found.mean - origin) * scaled
    assert np.linalg.norm(shift) <= np.linalg.norm((moved - origin) * scaled) * (1 + 1e-3)
    through_zero = BayesianLinear().fit(problem, rng).mean
    assert np.linalg.norm(outside @ (through_zero - origin)) > 10 * np.linalg.norm(
        outside @ (found.mean - origin)
    )


@pytest.mark.parametrize("method", [BayesianLinear(), Bootstrap(), Pops(bounds="exact")])
def test_every_view_of_the_posterior_is_moved_by_the_same_coefficients(method):
    problem = atomic_problem()
    origin = np.random.default_rng(3).standard_normal(8)
    base = method.fit(about(problem, origin), np.random.default_rng(1))
    found = Displaced(base, origin)
    rows = stacked(problem).rows[:20]
    np.testing.assert_allclose(found.mean, base.mean + origin)
    np.testing.assert_allclose(
        found.samples(5, np.random.default_rng(2)) - origin, base.samples(5, np.random.default_rng(2))
    )
    one, other = found.predict_rows(rows, "forces"), base.predict_rows(rows, "forces")
    np.testing.assert_allclose(one.mean - other.mean, rows @ origin)
    np.testing.assert_allclose(one.std, other.std)
    np.testing.assert_allclose(one.mean, rows @ found.mean, rtol=1e-9)
    if base.support(rows) is None:
        assert found.support(rows) is None
        assert found.extremes(rows[0]) is None
    else:
        low, high = found.support(rows)
        ends = found.extremes(rows[0])
        np.testing.assert_allclose(ends @ rows[0], [low[0], high[0]], rtol=1e-9)
        assert (low <= one.mean).all()
        assert (one.mean <= high).all()


def test_fitting_about_zero_changes_nothing():
    problem = atomic_problem()
    plain = fit_ridge(problem).mean
    np.testing.assert_array_equal(fit_ridge(about(problem, np.zeros(8))).mean, plain)
