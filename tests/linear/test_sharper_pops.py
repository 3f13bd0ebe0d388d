"""pops_calibrated and pops_hull: what they claim, out of sample."""

import numpy as np
import pytest
from atomic_problem import atomic_problem, stacked
from dense_problems import dense_problem
from scipy.optimize import linprog

from uqbench.errors import UqbenchError
from uqbench.linear import atom_blocks
from uqbench.linear.corrections import LEVERAGE_FLOOR
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import leave_folds_out
from uqbench.linear.normalised import correction_moments
from uqbench.linear.scaled_width import fit_width, width_loss
from uqbench_methods import pops_calibrated
from uqbench_methods.constant import Constant
from uqbench_methods.pops_calibrated import PopsCalibrated
from uqbench_methods.pops_hull import PopsHull


def draw(rng, n, misfit, cluster_size=4):
    """Rows in clusters that share most of their direction, and labels with a deterministic misfit."""
    centre = np.repeat(rng.standard_normal((n // cluster_size, 6)), cluster_size, axis=0)
    rows = centre + 0.5 * rng.standard_normal((n, 6))
    return rows, rows @ np.arange(1.0, 7.0) + misfit(rows), np.arange(n) // cluster_size


def bounded(rows):
    return 0.4 * np.sin(3.0 * rows[:, 1]) * np.cos(2.0 * rows[:, 0])


def growing(rows):
    return 0.4 * rows[:, 0] ** 2 + 0.3 * np.sin(3.0 * rows[:, 1])


def misses_out_of_sample(misfit):
    """Of 25 training sets: a and c, and the misses of fresh rows and their shapes."""
    rng = np.random.default_rng(0)
    fits, misses, shapes = [], [], []
    for _ in range(25):
        rows, labels, cluster = draw(rng, 600, misfit)
        problem = dense_problem({"forces": rows}, {"forces": labels}, {"forces": cluster})
        posterior = PopsCalibrated().fit(problem, rng)
        test, truth, _ = draw(rng, 2000, misfit)
        prediction = posterior.predict_rows(test, "forces")
        assert prediction.nominal == 0.95
        fits.append((posterior.scale["forces"], posterior.floor["forces"]))
        misses.append((truth < prediction.lower) | (prediction.upper < truth))
        shapes.append(np.sqrt(((test @ posterior.factor) ** 2).sum(axis=1)))
    return np.array(fits), np.concatenate(misses), np.concatenate(shapes)


def test_calibrated_covers_what_it_states_out_of_sample():
    """With a floor c > 0 the best interval score has exactly the stated coverage (its derivative in c is zero)."""
    fits, misses, _ = misses_out_of_sample(bounded)
    assert (fits[:, 1] > 0).all()
    assert misses.mean() == pytest.approx(0.05, abs=0.01)


def test_without_a_floor_the_coverage_weighted_by_shape_is_the_stated_one():
    """At c = 0 only the derivative in a is zero: misfits that grow faster than the shape leave coverage above 95 %."""
    fits, misses, shapes = misses_out_of_sample(growing)
    assert np.mean(fits[:, 1] == 0) > 0.9
    assert np.average(misses, weights=shapes) == pytest.approx(0.05, abs=0.01)
    assert 0.02 < misses.mean() < 0.04


def test_calibrated_interval_score_beats_constant_where_the_misfit_grows_with_the_row():
    rng = np.random.default_rng(1)
    rows, labels, cluster = draw(rng, 800, growing)
    problem = dense_problem({"forces": rows}, {"forces": labels}, {"forces": cluster})
    test, truth, _ = draw(rng, 4000, growing)

    def score(lower, upper):
        outside = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
        return np.mean(upper - lower + 2 / 0.05 * outside)

    ours = PopsCalibrated().fit(problem, rng).predict_rows(test, "forces")
    plain = Constant().fit(problem, rng).predict_rows(test, "forces").interval(0.95)
    assert score(ours.lower, ours.upper) < 0.95 * score(plain.lower, plain.upper)


def test_the_shape_holds_the_share_of_clusters_that_it_says():
    """A + ρB of the fit to all rows, B scaled to the trace of A in whitened coordinates; of energies A alone."""
    problem = atomic_problem()
    posterior = PopsCalibrated(folds=5).fit(problem, np.random.default_rng(6))
    ridge = fit_ridge(problem)
    left_out = leave_folds_out(problem, ridge, 5, np.random.default_rng(6))
    rows, clusters = (m[-1] for m in correction_moments(left_out, ridge.leverage_floor(LEVERAGE_FLOOR)))
    share = posterior.facts["cluster_share_forces"]
    assert share in pops_calibrated.SHARES
    shape = rows + share * clusters * np.trace(rows) / np.trace(clusters)
    expected = ridge.whitener @ shape @ ridge.whitener.T
    found = posterior.factor @ posterior.factor.T
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * expected.max())
    x = np.random.default_rng(0).standard_normal((20, 8))
    for kind, moment in (("energy", rows), ("forces", shape)):
        bounds = posterior.predict_rows(x, kind)
        half = posterior.scale[kind] * np.linalg.norm(x @ ridge.whitener @ np.linalg.cholesky(moment), axis=1)
        np.testing.assert_allclose(bounds.upper - bounds.mean, half + posterior.floor[kind], rtol=1e-6)


def test_widths_are_fitted_to_errors_and_shapes_that_have_not_seen_the_fold():
    """a, c and ρ of each kind from refits, A and B without each fold, by dense matrices; kinds of unequal α and floor.

    Errors of energies are shared within a cluster here, so that ρ > 0 would suit them: theirs stays 0 all the same.
    """
    rng = np.random.default_rng(5)
    rows = {"energy": 0.5 * rng.standard_normal((48, 4)), "forces": rng.standard_normal((120, 4))}
    cluster = {k: np.arange(len(x)) // (len(x) // 12) for k, x in rows.items()}
    wild = rng.standard_normal((12, 4)) * np.linspace(0.1, 2.0, 12)[:, None]
    labels = {
        k: x @ np.ones(4) + s * (x * wild[cluster[k]]).sum(axis=1) + 0.1 * s * rng.standard_normal(len(x))
        for (k, x), s in zip(rows.items(), (0.02, 0.5), strict=True)
    }
    problem = dense_problem(rows, labels, cluster)
    posterior = PopsCalibrated(folds=4).fit(problem, np.random.default_rng(3))
    ridge = fit_ridge(problem)
    left_out = leave_folds_out(problem, ridge, 4, np.random.default_rng(3))
    every = stacked(problem)
    x, y, kind, fold = every.rows, every.labels, every.kind, left_out.folds(every)
    alpha = np.asarray(ridge.noise_precision)[kind]
    floor = LEVERAGE_FLOOR * np.asarray(ridge.mean_leverage)[kind]
    assert alpha.max() > 50 * alpha.min()
    assert floor.max() > 3 * floor.min()
    prior = np.diag(ridge.prior_precision * ridge.column_scale**2)

    def moments(seen):
        inverse = np.linalg.inv(x[seen].T @ (alpha[seen, None] * x[seen]) + prior)
        mean = inverse @ x[seen].T @ (alpha[seen] * y[seen])
        e = y[seen] - x[seen] @ mean
        h = np.maximum(np.einsum("np,pq,nq->n", x[seen], inverse, x[seen]), floor[seen])
        middle = x[seen].T @ ((alpha[seen] * e**2 / h)[:, None] * x[seen])
        pulled = (alpha[seen] * e)[:, None] * x[seen]
        scores = np.array(
            [pulled[every.cluster[seen] == c].sum(axis=0) for c in np.unique(every.cluster[seen])]
        )
        return mean, inverse @ middle @ inverse, inverse @ scores.T @ scores @ inverse

    _, a_all, b_all = moments(np.ones(len(y), dtype=bool))
    metric = np.linalg.inv(ridge.whitener @ ridge.whitener.T)
    unit = np.trace(metric @ a_all) / np.trace(metric @ b_all)
    error, of_rows, of_clusters = np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
    for f in range(4):
        mean, a, b = moments(fold != f)
        held = fold == f
        error[held] = np.abs(y[held] - x[held] @ mean)
        of_rows[held] = np.einsum("np,pq,nq->n", x[held], a, x[held])
        of_clusters[held] = unit * np.einsum("np,pq,nq->n", x[held], b, x[held])
    for k, name in enumerate(("energy", "forces")):
        mine, tried = kind == k, []
        for share in pops_calibrated.SHARES:
            shape = np.sqrt(of_rows[mine] + share * of_clusters[mine])
            scale, width = fit_width(error[mine], shape, 0.95)
            tried.append((width_loss(error[mine], scale * shape + width, 0.95), share, scale, width))
        assert min(tried)[1] > 0.0
        _, share, scale, width = tried[0] if name == "energy" else min(tried)
        assert posterior.facts[f"cluster_share_{name}"] == share
        assert posterior.scale[name] == pytest.approx(scale, rel=1e-3)
        assert posterior.floor[name] == pytest.approx(width, rel=1e-3, abs=1e-6)


def test_the_share_of_clusters_lowers_the_score_of_fresh_clusters(monkeypatch):
    """Thirty clusters of twenty rows whose misfit grows along a feature, eight draws: better by a percent or two."""

    def scores():
        rng = np.random.default_rng(0)
        for _ in range(8):
            rows = rng.standard_normal((6600, 6))
            labels = rows @ np.arange(1.0, 7.0) + 0.4 * (rows[:, 0] ** 2 - 1.0)
            cluster = {"forces": np.arange(600) // 20}
            problem = dense_problem({"forces": rows[:600]}, {"forces": labels[:600]}, cluster)
            posterior = PopsCalibrated().fit(problem, np.random.default_rng(1))
            bounds = posterior.predict_rows(rows[600:], "forces")
            outside = np.maximum(bounds.lower - labels[600:], 0) + np.maximum(labels[600:] - bounds.upper, 0)
            yield np.mean(bounds.upper - bounds.lower + 2 / 0.05 * outside)

    chosen = np.array(list(scores()))
    monkeypatch.setattr(pops_calibrated, "SHARES", (0.0,))
    assert np.mean(chosen / list(scores())) < 0.995


@pytest.mark.parametrize("method", [PopsCalibrated(folds=4), PopsHull()])
def test_bounds_do_not_depend_on_units(method):
    rows, labels, cluster = draw(np.random.default_rng(2), 200, bounded)
    units = np.geomspace(1e-3, 1e3, 6)

    def bounds(x, y):
        problem = dense_problem({"forces": x}, {"forces": y}, {"forces": cluster})
        return method.fit(problem, np.random.default_rng(0)).predict_rows(x[:40], "forces")

    a, b = bounds(rows, labels), bounds(rows * units, 27.2 * labels)
    np.testing.assert_allclose(27.2 * a.upper, b.upper, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(27.2 * a.lower, b.lower, rtol=1e-4, atol=1e-4)


def test_hull_without_trim_and_floor_covers_every_training_label(monkeypatch):
    monkeypatch.setattr(atom_blocks, "LEVERAGE_FLOOR", 1e-28)
    problem = atomic_problem()
    hull = PopsHull(keep=1.0).fit(problem, np.random.default_rng(0))
    rows = stacked(problem)
    for k, kind in enumerate(("energy", "forces")):
        mine = rows.kind == k
        found = hull.predict_rows(rows.rows[mine], kind)
        slack = 1e-8
        assert (found.lower - slack <= rows.labels[mine]).all()
        assert (rows.labels[mine] <= found.upper + slack).all()


def test_hull_bounds_are_the_linear_programme_over_mixtures_of_corrections():
    """The support of a convex hull is the best mixture: weights ≥ 0 of sum ≤ 1 (the mean itself is in the hull)."""
    problem = atomic_problem(n_structures=8)
    hull = PopsHull(keep=0.9).fit(problem, np.random.default_rng(0))
    every = np.concatenate(list(hull.corrections.whitened())) @ hull.corrections.ridge.whitener.T
    rows = np.random.default_rng(3).standard_normal((6, 8))
    found = hull.predict_rows(rows, "forces")
    for x, mean, upper in zip(rows, found.mean, found.upper, strict=True):
        best = linprog(-every @ x, A_ub=np.ones((1, len(every))), b_ub=[1.0], bounds=(0, None))
        assert upper - mean == pytest.approx(-best.fun, rel=1e-9)


def test_trimming_narrows_and_is_insensitive_to_one_wild_label():
    """One absurd label decides every bound of the full hull and none of the trimmed one."""

    def spoil(rows, labels, structure):
        if structure == 3:
            labels[0] += 1e3 * np.sign(labels[0])
            rows[0] *= 1e-3

    wild = atomic_problem(change=spoil)
    test = np.random.default_rng(3).standard_normal((50, 8))

    def width(keep):
        found = PopsHull(keep=keep).fit(wild, np.random.default_rng(0)).predict_rows(test, "forces")
        return np.mean(found.upper - found.lower)

    assert width(1.0) > 20 * width(0.99)
    assert width(0.99) > width(0.9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PopsHull(keep=0.0), "keep is 0.0"),
        (lambda: PopsHull(keep=1.1), "keep is 1.1"),
        (lambda: PopsCalibrated(folds=1), "folds is 1"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(UqbenchError, match=message):
        make()
