"""Active sets against brute force over all subsets; grades and what is made of them."""

from itertools import combinations

import numpy as np
import pytest
from atomic_problem import atomic_problem, stacked
from dense_problems import dense_problem

from uqbench.errors import UqbenchError
from uqbench.linear import maxvol
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import leave_folds_out
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
    active = np.linalg.inv(active_inverse(problem, ridge, everything)[0])
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
    inverse, settled = active_inverse(problem, ridge, everything)
    assert settled
    grades = np.concatenate([np.abs(weighted(b, ridge) @ inverse).max(axis=1) for b in problem.blocks()])
    assert grades.max() <= TOLERANCE * (1 + 1e-9)
    assert np.sum(np.abs(grades - 1.0) < 1e-9) >= problem.n_features


def test_rows_that_may_not_be_seen_are_not_chosen():
    problem = atomic_problem()
    ridge = fit_ridge(problem)
    active = np.linalg.inv(active_inverse(problem, ridge, lambda block: block.cluster > 3)[0])
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


def weighted_kinds(spoil=None):
    """Twelve clusters of two energies and six forces, with noise that gives the kinds very unequal α."""
    rng = np.random.default_rng(4)
    rows = {"energy": rng.standard_normal((24, 4)), "forces": 3.0 * rng.standard_normal((72, 4))}
    cluster = {k: np.arange(len(x)) % 12 for k, x in rows.items()}
    if spoil is not None:
        rows["forces"][spoil] *= 50.0
    labels = {
        k: x @ np.arange(1.0, 5.0) + s * rng.standard_normal(len(x))
        for (k, x), s in zip(rows.items(), (0.02, 0.5), strict=True)
    }
    return dense_problem(rows, labels, cluster)


def test_scale_is_the_quantile_of_grades_by_sets_that_have_not_seen_the_fold():
    """Brute force: γ from an explicit active set of the other folds' rows, each weighed by √α of its kind.

    One cluster holds the longest row by far, which the active sets of all folds but its own hold.
    """
    problem = weighted_kinds(spoil=5)
    posterior = ExtrapolationGrade(folds=4).fit(problem, np.random.default_rng(3))
    ridge = fit_ridge(problem)
    alpha = dict(zip(ridge.kinds, ridge.noise_precision, strict=True))
    assert alpha["energy"] > 100 * alpha["forces"]
    left_out = leave_folds_out(problem, ridge, 4, np.random.default_rng(3))
    rows = stacked(problem)
    root = np.sqrt(np.asarray(ridge.noise_precision))[rows.kind]
    fold = left_out.folds(rows)
    ratios = {0: [], 1: []}
    for f in range(4):
        seen = fold != f
        inverse, _ = active_inverse(problem, ridge, lambda b, f=f: left_out.folds(b) != f)
        active = np.linalg.inv(inverse) @ np.linalg.inv(ridge.whitener)
        mine = root[seen, None] * rows.rows[seen]
        for a in active:
            assert np.isclose(mine, a, rtol=1e-6, atol=1e-9).all(axis=1).any()
        assert np.abs(mine @ np.linalg.inv(active)).max() <= TOLERANCE * (1 + 1e-9)
        for k in ratios:
            held = (fold == f) & (rows.kind == k)
            error = np.abs(rows.labels[held] - rows.rows[held] @ left_out.means[f])
            ratios[k] += (error / np.abs(rows.rows[held] @ np.linalg.inv(active)).max(axis=1)).tolist()
    for k, kind in enumerate(("energy", "forces")):
        expected = np.quantile(ratios[k], 0.95, method="higher")
        assert posterior.scale[kind] == pytest.approx(expected, rel=1e-8)
        # Grade 1 of a weighted row is 1/√α of the row as it stands.
        found = posterior.facts[f"error_at_grade_1_{kind}"]
        assert found == pytest.approx(expected / np.sqrt(alpha[kind]), rel=1e-8)


def test_rows_of_zeros_leave_the_scale_as_it_is():
    """No coefficient moves them; taken as errors of no size for their grade, they would pull the quantile down."""
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((200, 4))
    labels = rows @ np.ones(4) + 0.2 * rng.standard_normal(200)
    cluster = {"forces": np.arange(200) % 20}
    plain = ExtrapolationGrade().fit(dense_problem({"forces": rows}, {"forces": labels}, cluster), rng_of(1))
    dead = np.zeros((86, 4))
    padded = dense_problem(
        {"forces": np.concatenate([rows, dead])},
        {"forces": np.concatenate([labels, np.zeros(86)])},
        {"forces": np.append(cluster["forces"], np.arange(86) % 20)},
    )
    found = ExtrapolationGrade().fit(padded, rng_of(1))
    half = [
        p.predict_rows(rows, "forces").upper - p.predict_rows(rows, "forces").mean for p in (found, plain)
    ]
    assert np.median(half[0] / half[1]) == pytest.approx(1.0, abs=0.05)


def test_a_kind_of_zeros_alone_has_no_scale_of_its_own():
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((60, 3))
    labels = rows @ np.ones(3) + 0.1 * rng.standard_normal(60)
    problem = dense_problem(
        {"energy": np.zeros((20, 3)), "forces": rows}, {"energy": np.ones(20), "forces": labels}
    )
    posterior = ExtrapolationGrade(folds=3).fit(problem, rng_of(0))
    assert set(posterior.scale) == {"forces"}
    assert "error_at_grade_1_energy" not in posterior.facts


def test_a_set_that_passes_did_not_settle_says_so(monkeypatch):
    problem = weighted_kinds()
    assert ExtrapolationGrade(folds=2).fit(problem, rng_of(0)).facts["active_set"] == "settled"
    monkeypatch.setattr(maxvol, "MOST_PASSES", 1)
    found = ExtrapolationGrade(folds=2).fit(problem, rng_of(0))
    assert found.facts["active_set"].startswith("NOT settled")


def rng_of(seed):
    return np.random.default_rng(seed)


def test_one_fold_is_refused():
    with pytest.raises(UqbenchError, match="folds is 1"):
        ExtrapolationGrade(folds=1)
