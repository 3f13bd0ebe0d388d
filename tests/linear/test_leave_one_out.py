"""Leverages and left-out residuals against refits without the row or the cluster."""

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.leave_one_out import (
    leave_one_cluster_out_residuals,
    leave_one_out_residuals,
    leverages,
    residuals,
)

N = {"energy": 20, "forces": 90}


def problem_of(n_blocks=3, p=6, clusters=12):
    """Two kinds of very different noise; clusters hold rows of both and span blocks."""
    rng = np.random.default_rng(2)
    theta = rng.standard_normal(p)
    rows = {k: rng.standard_normal((n, p)) for k, n in N.items()}
    noise = {"energy": 0.02, "forces": 0.6}
    labels = {k: rows[k] @ theta + noise[k] * rng.standard_normal(n) for k, n in N.items()}
    cluster = {k: rng.integers(0, clusters, n) for k, n in N.items()}
    return dense_problem(rows, labels, cluster, n_blocks)


def dense(problem, ridge):
    """Scaled rows, labels, α of each row and clusters, in the order of the blocks."""
    blocks = list(problem.blocks())
    kind = np.concatenate([b.kind for b in blocks])
    return (
        np.concatenate([b.rows for b in blocks]) / ridge.column_scale,
        np.concatenate([b.labels for b in blocks]),
        np.array(ridge.noise_precision)[kind],
        np.concatenate([b.cluster for b in blocks]),
    )


def refit_residuals(problem, ridge, groups_of):
    """Brute force: solve the normal equations anew without each group of rows."""
    rows, labels, alpha, cluster = dense(problem, ridge)
    groups = groups_of(cluster)
    out = np.empty(len(labels))
    for g in np.unique(groups):
        seen, left = groups != g, groups == g
        x, weight = rows[seen], alpha[seen, None]
        precision = x.T @ (weight * x) + ridge.prior_precision * np.eye(x.shape[1])
        mean = np.linalg.solve(precision, x.T @ (alpha[seen] * labels[seen]))
        out[left] = labels[left] - rows[left] @ mean
    return out


def test_hat_matrix_is_the_slope_of_fits_in_their_labels():
    """α h is how far a row's fit moves when its label moves (finite difference of the refit)."""
    problem = problem_of()
    ridge = fit_ridge(problem)
    rows, labels, alpha, _ = dense(problem, ridge)
    precision = rows.T @ (alpha[:, None] * rows) + ridge.prior_precision * np.eye(rows.shape[1])

    def fit(values):
        return rows @ np.linalg.solve(precision, rows.T @ (alpha * values))

    h = leverages(problem, ridge)
    for n in (0, 5, 40, 109):
        step = np.zeros(len(labels))
        step[n] = 1.0
        slope = fit(labels + step)[n] - fit(labels)[n]
        assert alpha[n] * h[n] == pytest.approx(slope, rel=1e-8)
    np.testing.assert_allclose(residuals(problem, ridge), labels - fit(labels), atol=1e-10)


def test_left_out_rows_are_those_of_refits():
    problem = problem_of()
    ridge = fit_ridge(problem)
    expected = refit_residuals(problem, ridge, lambda cluster: np.arange(len(cluster)))
    np.testing.assert_allclose(leave_one_out_residuals(problem, ridge), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("clusters", [3, 12, 60])
@pytest.mark.parametrize("n_blocks", [1, 3, 7])
def test_left_out_clusters_are_those_of_refits(clusters, n_blocks):
    """Clusters with more rows than features and with fewer, in one block and over all."""
    problem = problem_of(n_blocks=n_blocks, clusters=clusters)
    ridge = fit_ridge(problem)
    expected = refit_residuals(problem, ridge, lambda cluster: cluster)
    found = leave_one_cluster_out_residuals(problem, ridge)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_clusters_of_one_row_are_left_out_rows():
    problem = problem_of()
    one_each = dense_problem(
        {"forces": np.concatenate([b.rows for b in problem.blocks()])},
        {"forces": np.concatenate([b.labels for b in problem.blocks()])},
    )
    ridge = fit_ridge(one_each)
    np.testing.assert_allclose(
        leave_one_cluster_out_residuals(one_each, ridge), leave_one_out_residuals(one_each, ridge), rtol=1e-10
    )


def test_a_row_or_cluster_that_alone_decides_a_direction_is_named():
    """A column that one row alone holds is fitted to that row: nothing is known of it without the row."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.standard_normal((40, 3)), np.zeros(40)])
    rows[7, 3] = 1e9
    labels = rows[:, :3] @ np.ones(3) + 1e-3 * rng.standard_normal(40)
    labels[7] += 1e12
    problem = dense_problem({"forces": rows}, {"forces": labels}, n_blocks=1)
    ridge = fit_ridge(problem)
    with pytest.raises(UqbenchError, match="structure 7: a row alone decides"):
        leave_one_out_residuals(problem, ridge)
    with pytest.raises(UqbenchError, match=r"cluster 7 \(1 rows\) alone decides"):
        leave_one_cluster_out_residuals(problem, ridge)
