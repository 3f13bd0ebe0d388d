"""Fits without a fold of clusters, and what is built of them, against brute-force refits."""

import numpy as np
import pytest
from atomic_problem import atomic_problem, stacked

from uqbench.errors import UqbenchError
from uqbench.linear import normalised
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import leave_folds_out
from uqbench.linear.leave_one_out import leave_one_cluster_out_residuals
from uqbench.linear.normalised import correction_moments

FLOOR = {"energy": 1e-4, "forces": 1e-3}


@pytest.fixture
def left_out():
    problem = atomic_problem()
    return leave_folds_out(problem, fit_ridge(problem), 4, np.random.default_rng(0))


def dense(left_out):
    """Scaled rows, labels, α of each row and fold of each row."""
    rows, ridge = stacked(left_out.problem), left_out.ridge
    return (
        rows.rows / ridge.column_scale,
        rows.labels,
        np.asarray(ridge.noise_precision)[rows.kind],
        left_out.folds(rows),
    )


def test_means_and_gram_matrices_are_those_of_refits(left_out):
    x, y, alpha, fold = dense(left_out)
    prior = left_out.ridge.prior_precision * np.eye(x.shape[1])
    for f in range(4):
        seen = fold != f
        gram = x[seen].T @ (alpha[seen, None] * x[seen])
        vectors, values = left_out.eigenvectors[f], left_out.eigenvalues[f]
        np.testing.assert_allclose(vectors * values @ vectors.T, gram, rtol=1e-9, atol=1e-9 * gram.max())
        mean = np.linalg.solve(gram + prior, x[seen].T @ (alpha[seen] * y[seen]))
        np.testing.assert_allclose(left_out.means[f] * left_out.ridge.column_scale, mean, rtol=1e-9)
        scaled = left_out.whitener(f) * left_out.ridge.column_scale[:, None]
        np.testing.assert_allclose(scaled @ scaled.T @ (gram + prior), np.eye(len(gram)), atol=1e-9)


def test_clusters_stay_whole_and_folds_are_even(left_out):
    rows = stacked(left_out.problem)
    fold = left_out.folds(rows)
    for c in np.unique(rows.cluster):
        assert len(np.unique(fold[rows.cluster == c])) == 1
    sizes = np.bincount(left_out.fold_of)
    assert len(sizes) == 4
    assert sizes.max() - sizes.min() <= 1


def test_every_row_is_held_out_once_under_the_fit_without_it(left_out):
    x, y, _, fold = dense(left_out)
    expected = y - np.einsum("np,np->n", x * left_out.ridge.column_scale, left_out.means[fold])
    found = {"energy": [], "forces": []}
    for f, kind, rows, error in left_out.held_out():
        np.testing.assert_allclose(np.unique(rows, axis=0).shape, rows.shape)
        assert f in range(4)
        found[kind] += error.tolist()
    kind = stacked(left_out.problem).kind
    for k, name in enumerate(found):
        np.testing.assert_allclose(np.sort(found[name]), np.sort(expected[kind == k]), rtol=1e-9, atol=1e-12)


def test_a_fold_a_cluster_gives_the_leave_one_cluster_out_residuals():
    """Two routes to the same numbers: refits from Gram matrices, and the hat-matrix identity."""
    problem = atomic_problem(n_structures=24)
    ridge = fit_ridge(problem)
    every = leave_folds_out(problem, ridge, len(problem.clusters), np.random.default_rng(1))
    x, y, _, fold = dense(every)
    refitted = y - np.einsum("np,np->n", x * ridge.column_scale, every.means[fold])
    np.testing.assert_allclose(
        leave_one_cluster_out_residuals(problem, ridge), refitted, rtol=1e-7, atol=1e-9
    )


def test_correction_moments_are_their_definition(left_out):
    """Σ α (e²/h) z zᵀ over the rows outside the fold, and Σ s sᵀ over its clusters, all of the fit without it."""
    x, y, alpha, fold = dense(left_out)
    kind, cluster = stacked(left_out.problem).kind, stacked(left_out.problem).cluster
    floor = np.array([FLOOR["energy"], FLOOR["forces"]])[kind]
    found, scores = correction_moments(left_out, FLOOR)
    rows = x * left_out.ridge.column_scale
    for f in range(5):
        seen = fold != f if f < 4 else np.ones(len(y), dtype=bool)
        mean = left_out.means[f] if f < 4 else left_out.ridge.mean
        whitener = left_out.whitener(f) if f < 4 else left_out.ridge.whitener
        z = rows[seen] @ whitener
        h = np.maximum((z**2).sum(axis=1), floor[seen])
        weight = alpha[seen] * (y[seen] - rows[seen] @ mean) ** 2 / h
        np.testing.assert_allclose(
            found[f], z.T @ (weight[:, None] * z), rtol=1e-9, atol=1e-9 * found[f].max()
        )
        weighted = z * (alpha[seen] * (y[seen] - rows[seen] @ mean))[:, None]
        each = np.array([weighted[cluster[seen] == c].sum(axis=0) for c in np.unique(cluster[seen])])
        np.testing.assert_allclose(scores[f], each.T @ each, rtol=1e-9, atol=1e-9 * scores[f].max())
    assert len(found) == len(scores) == 5


def test_many_clusters_are_added_up_into_groups(monkeypatch):
    """Twenty groups at least; clusters of one number modulo that of groups share one."""
    monkeypatch.setattr(normalised, "SCORES_MEMORY", 1)
    problem = atomic_problem(n_structures=60)
    left_out = leave_folds_out(problem, fit_ridge(problem), 4, np.random.default_rng(0))
    x, y, alpha, _ = dense(left_out)
    rows = x * left_out.ridge.column_scale
    group = stacked(problem).cluster % 20
    assert len(problem.clusters) == 30
    weighted = (rows @ left_out.ridge.whitener) * (alpha * (y - rows @ left_out.ridge.mean))[:, None]
    each = np.array([weighted[group == g].sum(axis=0) for g in range(20)])
    _, scores = correction_moments(left_out, FLOOR)
    np.testing.assert_allclose(scores[-1], each.T @ each, rtol=1e-9, atol=1e-9 * scores[-1].max())


def test_an_outlier_is_not_seen_by_the_fit_without_its_cluster():
    """A planted error of 50 in one structure moves every fit but that of its own fold, and its moments."""
    problem = atomic_problem()
    ridge = fit_ridge(problem)

    def spoil(rows, labels, structure):
        if structure == 13:
            labels += 50.0

    spoiled = atomic_problem(change=spoil)
    a, b = (leave_folds_out(p, ridge, 4, np.random.default_rng(0)) for p in (problem, spoiled))
    home = a.fold_of[np.searchsorted(problem.clusters, 13 // 2)]
    before, after = correction_moments(a, FLOOR)[0], correction_moments(b, FLOOR)[0]
    for f in range(4):
        moved = np.abs(a.means[f] - b.means[f]).max()
        grown = np.trace(after[f]) / np.trace(before[f])
        if f == home:
            assert moved < 1e-10
            assert grown == pytest.approx(1.0, rel=1e-9)
        else:
            assert moved > 0.1
            assert grown > 10.0


def test_too_few_clusters_are_refused():
    problem = atomic_problem(n_structures=6)
    with pytest.raises(UqbenchError, match="3 training clusters cannot be cut into 4 folds"):
        leave_folds_out(problem, fit_ridge(problem), 4, np.random.default_rng(0))
