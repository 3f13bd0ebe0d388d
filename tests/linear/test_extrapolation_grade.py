"""Active sets against brute force over all subsets; grades and what is made of them."""

from itertools import combinations

import numpy as np
import pytest
from atomic_problem import atomic_problem, stacked
from dense_problems import dense_problem

from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.maxvol import EMPTY, TOLERANCE, active_inverse, weighted
from uqbench_methods.extrapolation_grade import ExtrapolationGrade


def everything(block):
    return np.ones(len(block.labels), dtype=bool)


def small(n=14, p=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, p)) * rng.lognormal(0.0, 1.0, (n, 1))
    labels = rows @ np.ones(p) + 0.1 * rng.standard_normal(n)
    return dense_problem({"forces": rows}, {"forces": labels})


@pytest.mark.parametrize("seed", range(5))
def test_the_active_set_spans_nearly_the_greatest_volume(seed):
    """MaxVol's is within P^(P/2) of the best of all subsets, and no exchange of one row makes it larger."""
    problem = small(seed=seed)
    ridge = fit_ridge(problem)
    z = np.concatenate([weighted(block, ridge) for block in problem.blocks()])
    active = np.linalg.inv(active_inverse(problem, ridge, everything))
    places = [int(np.abs(z - a).max(axis=1).argmin()) for a in active]
    np.testing.assert_allclose(z[places], active, rtol=1e-8, atol=1e-12)
    best = max(abs(np.linalg.det(z[list(c)])) for c in combinations(range(len(z)), 3))
    volume = abs(np.linalg.det(active))
    assert best / 3**1.5 <= volume <= best * (1 + 1e-9)
    for j in range(3):
        for row in z:
            exchanged = active.copy()
            exchanged[j] = row
            assert abs(np.linalg.det(exchanged)) <= TOLERANCE * volume * (1 + 1e-9)


def test_no_training_row_is_graded_beyond_one():
    problem = atomic_problem()
    ridge = fit_ridge(problem)
    inverse = active_inverse(problem, ridge, everything)
    grades = np.concatenate([np.abs(weighted(b, ridge) @ inverse).max(axis=1) for b in problem.blocks()])
    assert grades.max() <= TOLERANCE * (1 + 1e-9)
    assert np.sum(np.abs(grades - 1.0) < 1e-9) >= problem.n_features


def test_rows_that_may_not_be_seen_are_not_chosen():
    problem = atomic_problem()
    ridge = fit_ridge(problem)
    active = np.linalg.inv(active_inverse(problem, ridge, lambda block: block.cluster > 3))
    for block in problem.blocks():
        z = weighted(block, ridge)[block.cluster <= 3]
        for row in z:
            assert np.abs(active - row).max(axis=1).min() > 1e-6


def test_a_direction_without_rows_is_far_outside():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 4))
    rows[:, 3] = rows[:, 2]
    problem = dense_problem({"forces": rows}, {"forces": rows[:, 0] + 0.1 * rng.standard_normal(40)})
    bounds = (
        ExtrapolationGrade()
        .fit(problem, rng)
        .predict_rows(np.array([[0, 0, 1.0, 1], [0, 0, 1, -1]]), "forces")
    )
    within, beyond = bounds.upper - bounds.mean
    assert beyond > 1e-3 / EMPTY * within


def test_grades_do_not_depend_on_units():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((80, 5))
    labels = rows @ np.arange(5.0) + 0.3 * rows[:, 0] ** 2
    units = np.geomspace(1e-3, 1e3, 5)

    def half(x, y, test):
        found = ExtrapolationGrade().fit(
            dense_problem({"forces": x}, {"forces": y}), np.random.default_rng(0)
        )
        prediction = found.predict_rows(test, "forces")
        return prediction.upper - prediction.mean

    test = rng.standard_normal((20, 5))
    np.testing.assert_allclose(
        27.2 * half(rows, labels, test), half(rows * units, 27.2 * labels, test * units), rtol=1e-6
    )


def test_bounds_hold_what_they_state_for_fresh_clusters():
    """Over 20 training sets 95 % of fresh labels, to a percent, for errors that do not follow the grade."""
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(20):
        rows = rng.standard_normal((1400, 5))
        labels = rows @ np.arange(5.0) + 0.3 * np.sin(3.0 * rows[:, 0])
        problem = dense_problem(
            {"forces": rows[:400]}, {"forces": labels[:400]}, {"forces": np.arange(400) // 4}
        )
        bounds = ExtrapolationGrade().fit(problem, rng).predict_rows(rows[400:], "forces")
        inside.append((bounds.lower <= labels[400:]) & (labels[400:] <= bounds.upper))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.01)


def test_draws_move_active_predictions_independently():
    problem = atomic_problem()
    posterior = ExtrapolationGrade().fit(problem, np.random.default_rng(0))
    draws = posterior.samples(100_000, np.random.default_rng(1)) - posterior.mean
    moved = draws @ np.linalg.inv(posterior.corners).T
    step = posterior.scale["forces"] / 1.959963984540054
    np.testing.assert_allclose(np.cov(moved.T), step**2 * np.eye(8), atol=0.02 * step**2)


def test_the_scale_of_a_kind_is_the_quantile_of_its_own_errors():
    """Bounds of energies and of forces each hold some 95 % of the rows they were scaled by."""
    problem = atomic_problem()
    rows = stacked(problem)
    posterior = ExtrapolationGrade().fit(problem, np.random.default_rng(0))
    assert set(posterior.scale) == {"energy", "forces"}
    for kind, k in (("energy", 0), ("forces", 1)):
        mine = rows.kind == k
        bounds = posterior.predict_rows(rows.rows[mine], kind)
        inside = np.mean((bounds.lower <= rows.labels[mine]) & (rows.labels[mine] <= bounds.upper))
        assert 0.9 < inside <= 1.0


def test_one_fold_is_refused():
    with pytest.raises(UqbenchError, match="folds is 1"):
        ExtrapolationGrade(folds=1)
