"""Committees on subsets against refits on exactly these rows or columns."""

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.errors import UqbenchError
from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate
from uqbench.linear.resampling import cluster_subsets, feature_subsets
from uqbench_methods.committee_subset import CommitteeSubset


class Recorder:
    """A generator that remembers which subsets it drew, and does not shuffle."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.drawn = []

    def shuffle(self, array):
        pass

    def choice(self, n, size, replace):
        assert not replace
        self.drawn.append(self.rng.choice(n, size, replace=False))
        return self.drawn[-1]


def two_kinds(misspecified):
    rows, labels = misspecified
    cluster = np.arange(300) // 6
    return dense_problem(
        {"energy": rows[:60], "forces": rows[60:]},
        {"energy": labels[:60], "forces": labels[60:]},
        {"energy": cluster[:60], "forces": cluster[60:]},
    )


def dense(problem, ridge):
    blocks = list(problem.blocks())
    kind = np.concatenate([b.kind for b in blocks])
    return (
        np.concatenate([b.rows for b in blocks]) / ridge.column_scale,
        np.concatenate([b.labels for b in blocks]),
        np.asarray(ridge.noise_precision)[kind],
        np.concatenate([b.cluster for b in blocks]),
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_members_are_refits_on_the_clusters_they_drew(misspecified, share):
    problem = two_kinds(misspecified)
    ridge = maximise_evidence(accumulate(problem))
    recorder = Recorder()
    members = cluster_subsets(problem, ridge, 3, share, recorder)
    x, y, alpha, cluster = dense(problem, ridge)
    for drawn, member in zip(recorder.drawn, members, strict=True):
        assert len(drawn) == round(share * 50)
        mine = np.isin(cluster, problem.clusters[drawn])
        precision = x[mine].T @ (alpha[mine, None] * x[mine]) + ridge.prior_precision * np.eye(8)
        refit = np.linalg.solve(precision, x[mine].T @ (alpha[mine] * y[mine]))
        np.testing.assert_allclose(member * ridge.column_scale, refit, rtol=1e-8)


def test_members_are_refits_with_the_features_they_drew(misspecified):
    problem = two_kinds(misspecified)
    normal = accumulate(problem)
    ridge = maximise_evidence(normal)
    recorder = Recorder()
    members = feature_subsets(normal, ridge, 4, 0.6, recorder)
    x, y, alpha, _ = dense(problem, ridge)
    for drawn, member in zip(recorder.drawn, members, strict=True):
        assert len(drawn) == 5
        part = x[:, drawn]
        precision = part.T @ (alpha[:, None] * part) + ridge.prior_precision * np.eye(5)
        refit = np.zeros(8)
        refit[drawn] = np.linalg.solve(precision, part.T @ (alpha * y))
        np.testing.assert_allclose(member * ridge.column_scale, refit, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_share_of_the_data_spreads_as_a_bootstrap_does_times_what_the_docstring_says(share):
    """(s²/m)(1 − m/n) = (s²/n)(1 − f)/f for m = fn without replacement: halves have the full estimate's variance."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((800, 3))
    labels = rows @ np.ones(3) + 0.5 * rng.standard_normal(800)
    problem = dense_problem({"forces": rows}, {"forces": labels})
    posterior = CommitteeSubset(share=share, members=2000).fit(problem, rng)
    inverse = np.linalg.inv(rows.T @ rows)
    residual = labels - rows @ inverse @ rows.T @ labels
    bootstrap = inverse @ (rows * residual[:, None] ** 2).T @ rows @ inverse
    exact = bootstrap * (1.0 - share) / share
    np.testing.assert_allclose(
        np.sqrt(np.diag(np.cov(posterior.members.T))), np.sqrt(np.diag(exact)), rtol=0.06
    )


def test_features_that_matter_not_leave_the_committee_in_agreement(misspecified):
    """Dropping a column of zeros' worth changes nothing; dropping one that carries the labels does."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((200, 6))
    labels = rows[:, 0] + 1e-3 * rng.standard_normal(200)
    method = CommitteeSubset(of="features", share=0.5, members=40)
    posterior = method.fit(dense_problem({"forces": rows}, {"forces": labels}), rng)
    with_it = posterior.members[:, 0] != 0
    assert with_it.any()
    assert not with_it.all()
    np.testing.assert_allclose(posterior.members[with_it, 0], 1.0, atol=0.01)
    assert np.abs(posterior.members[with_it, 1:]).max() < 0.01


@pytest.mark.parametrize(("field", "value"), [("share", 0.0), ("share", 1.0), ("members", 1)])
def test_parameters_out_of_range_are_refused(field, value):
    with pytest.raises(UqbenchError, match=f"{field} is {value}"):
        CommitteeSubset(**{field: value})
