"""POPS: corrections, boxes and hulls against closed forms, brute force and popsregression."""

import itertools

import numpy as np
import pytest
from dense_problems import dense_problem
from popsregression import POPSRegression
from scipy.optimize import linprog

from uqbench.errors import UqbenchError
from uqbench.linear import corrections as corrections_module
from uqbench.linear.arrays import Arrays
from uqbench.linear.box import Box, _range
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.hull import Hull
from uqbench.linear.sampled_box import BoxDraws, SampledBox
from uqbench_methods.pops import Pops
from uqbench_methods.pops_whitened import PopsWhitened


def corrections_of(rows, labels):
    problem = dense_problem({"forces": rows}, {"forces": labels})
    return PointwiseCorrections.of(problem, fit_ridge(problem))


def dense(corrections):
    """All Δθ, (n, P), in the backbone's units; rows in the order of the blocks."""
    return np.concatenate(list(corrections.whitened())) @ corrections.ridge.whitener.T


def rows_in_order(corrections):
    blocks = list(corrections.problem.blocks())
    return np.concatenate([b.rows for b in blocks]), np.concatenate([b.labels for b in blocks])


def test_each_correction_reproduces_its_row(misspecified):
    corrections = corrections_of(*misspecified)
    rows, labels = rows_in_order(corrections)
    fitted = ((corrections.ridge.mean + dense(corrections)) * rows).sum(axis=1)
    np.testing.assert_allclose(fitted, labels, rtol=1e-9, atol=1e-9)


def test_correction_is_the_cheapest(misspecified):
    """Among changes that pass through the row, none costs less in Δθᵀ S⁻¹ Δθ (Lagrange: S x ∝ Δθ)."""
    corrections = corrections_of(*misspecified)
    rows, _ = rows_in_order(corrections)
    w = corrections.ridge.whitener
    change = dense(corrections)[17]
    direction = w @ w.T @ rows[17]
    np.testing.assert_allclose(change, direction * (change @ direction) / (direction @ direction), rtol=1e-9)


def test_corrections_equal_popsregression(misspecified):
    """Same pointwise corrections and the same box as popsregression 0.4.0 on the scaled matrix (all leverages)."""
    rows, labels = misspecified
    scale = np.sqrt((rows**2).mean(axis=0))
    model = POPSRegression(
        tol=1e-14, max_iter=5000, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, leverage_percentile=0.0
    ).fit(rows / scale, labels)
    corrections = corrections_of(rows, labels)
    ordered, _ = rows_in_order(corrections)
    position = [int(np.flatnonzero((rows == row).all(axis=1))[0]) for row in ordered]
    np.testing.assert_allclose(
        dense(corrections) * scale, model._pointwise_correction[position], rtol=1e-5, atol=1e-8
    )
    box = Box.around(corrections, 0.0)
    sign = np.sign((box.axes * scale[:, None] * model._hypercube_support).sum(axis=0))
    low, high = np.minimum(sign * box.low, sign * box.high), np.maximum(sign * box.low, sign * box.high)
    np.testing.assert_allclose(low, model._hypercube_bounds[0], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(high, model._hypercube_bounds[1], rtol=1e-5, atol=1e-8)


def test_box_support_is_the_best_corner_and_the_linear_programme():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((60, 4))
    labels = rows @ rng.standard_normal(4) + np.abs(rows[:, 0])
    box = Box.around(corrections_of(rows, labels), 0.0)
    directions = rng.standard_normal((5, 4))
    lower, upper = box.support(directions)
    corners = np.array(list(itertools.product(*zip(box.low, box.high, strict=True))))
    values = directions @ (box.mean[:, None] + box.axes @ corners.T)
    np.testing.assert_allclose(lower, values.min(axis=1), rtol=1e-12)
    np.testing.assert_allclose(upper, values.max(axis=1), rtol=1e-12)
    best = linprog(-directions[0] @ box.axes, bounds=list(zip(box.low, box.high, strict=True)))
    assert upper[0] == pytest.approx(directions[0] @ box.mean - best.fun, rel=1e-9)


def test_sampled_bounds_lie_within_the_exact_ones_and_approach_them(misspecified):
    corrections = corrections_of(*misspecified)
    rows, _ = rows_in_order(corrections)
    exact = Box.around(corrections, 0.0)
    few, many = (
        SampledBox.of(exact, BoxDraws(exact.low, exact.high, n, "uniform", 0)).predict_rows(rows, "forces")
        for n in (100, 10_000)
    )
    outer = exact.predict_rows(rows, "forces")
    assert (few.upper <= outer.upper + 1e-12).all()
    assert (many.lower >= outer.lower - 1e-12).all()
    widths = [(p.upper - p.lower).mean() for p in (few, many, outer)]
    assert widths[0] < widths[1] < widths[2]


def test_box_standard_deviation_is_that_of_uniform_draws(misspecified):
    corrections = corrections_of(*misspecified)
    rows, _ = rows_in_order(corrections)
    box = Box.around(corrections, 0.0)
    draws = (box.samples(200_000, np.random.default_rng(5)) - box.mean) @ rows[:20].T
    epistemic = ((rows[:20] @ box.epistemic) ** 2).sum(axis=1)
    expected = np.sqrt((draws**2).mean(axis=0) + epistemic)
    np.testing.assert_allclose(box.predict_rows(rows[:20], "forces").std, expected, rtol=0.02)


def test_box_holds_every_correction_unless_clipped(misspecified):
    corrections = corrections_of(*misspecified)
    rows, labels = rows_in_order(corrections)
    bounds = Box.around(corrections, 0.0).predict_rows(rows, "forces")
    assert ((bounds.lower <= labels + 1e-9) & (labels <= bounds.upper + 1e-9)).all()
    clipped = Box.around(corrections, 5.0).predict_rows(rows, "forces")
    assert (clipped.upper - clipped.lower).sum() < 0.8 * (bounds.upper - bounds.lower).sum()


@pytest.mark.parametrize("percentile", [0.0, 0.7, 12.5, 49.0])
def test_streamed_percentiles_equal_numpy(percentile):
    values = np.random.default_rng(2).standard_normal((501, 3)) ** 3
    low, high = _range(iter(np.array_split(values, 7)), Arrays(), len(values), percentile)
    np.testing.assert_allclose(low, np.percentile(values, percentile, axis=0), rtol=1e-12)
    np.testing.assert_allclose(high, np.percentile(values, 100 - percentile, axis=0), rtol=1e-12)


def test_hull_bounds_are_brute_force_and_cover_every_training_row(misspecified):
    corrections = corrections_of(*misspecified)
    rows, labels = rows_in_order(corrections)
    bounds = Hull.of(corrections).predict_rows(rows, "forces")
    change = rows @ dense(corrections).T
    np.testing.assert_allclose(bounds.lower, bounds.mean + np.minimum(change.min(axis=1), 0), rtol=1e-9)
    np.testing.assert_allclose(bounds.upper, bounds.mean + np.maximum(change.max(axis=1), 0), rtol=1e-9)
    assert ((bounds.lower <= labels + 1e-9) & (labels <= bounds.upper + 1e-9)).all()


def test_hull_samples_are_corrections(misspecified):
    hull = Hull.of(corrections_of(*misspecified))
    drawn = hull.samples(50, np.random.default_rng(0)) - hull.mean
    every = dense(hull.corrections)
    distance = np.abs(drawn[:, None] - every[None]).max(axis=2).min(axis=1)
    assert distance.max() < 1e-12
    assert len(np.unique(drawn, axis=0)) == 50


def test_leverage_floor_tames_rows_the_model_can_hardly_move(misspecified, monkeypatch):
    """A row of almost zeros with a finite residual has an unbounded correction; the floor bounds it."""
    rows, labels = misspecified
    rows = np.concatenate([rows, np.full((1, 8), 1e-9)])
    labels = np.append(labels, 1.0)
    floored = np.abs(dense(corrections_of(rows, labels))).max()
    monkeypatch.setattr(corrections_module, "LEVERAGE_FLOOR", 0.0)
    unfloored = np.abs(dense(corrections_of(rows, labels))).max()
    assert unfloored > 1e6 * floored


def test_leverages_are_floored_each_by_the_floor_of_its_own_kind(monkeypatch):
    """Δθ = e/max(h, floor of the kind) S x from dense matrices; mean leverages are far apart."""
    rng = np.random.default_rng(4)
    rows = {"energy": 0.05 * rng.standard_normal((40, 4)), "forces": rng.standard_normal((90, 4))}
    labels = {k: x @ np.ones(4) + 0.1 * np.sin(3.0 * x[:, 0]) + 0.05 for k, x in rows.items()}
    problem = dense_problem(rows, labels)
    ridge = fit_ridge(problem)
    blocks = list(problem.blocks())
    x, kind = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("rows", "kind"))
    covariance = ridge.whitener @ ridge.whitener.T
    h = np.einsum("np,pq,nq->n", x, covariance, x)
    error = np.concatenate([b.labels for b in blocks]) - x @ ridge.mean
    means = np.array([h[kind == k].mean() for k in (0, 1)])
    assert means[1] > 100 * means[0]

    def expected(floor):
        leverage = np.maximum(h, floor[kind])
        for k in (0, 1):
            assert 0 < np.sum(leverage[kind == k] > h[kind == k]) < np.sum(kind == k)
        return (error / leverage)[:, None] * (x @ covariance)

    given = np.array([0.8, 0.3]) * means
    found = PointwiseCorrections.of(problem, ridge, {"energy": given[0], "forces": given[1]})
    np.testing.assert_allclose(dense(found), expected(given), rtol=1e-8, atol=1e-12)
    monkeypatch.setattr(corrections_module, "LEVERAGE_FLOOR", 0.5)
    changes = expected(0.5 * means)
    found = PointwiseCorrections.of(problem, ridge)
    np.testing.assert_allclose(dense(found), changes, rtol=1e-8, atol=1e-12)
    moment = ridge.whitener @ found.moment @ ridge.whitener.T
    np.testing.assert_allclose(moment, changes.T @ changes, rtol=1e-8, atol=1e-8 * moment.max())


def test_mean_leverage_is_the_trace(misspecified):
    """Σ_n x_nᵀ S x_n = tr(S Σ x xᵀ), and α times it is the number of well-determined parameters, at most P."""
    corrections = corrections_of(*misspecified)
    ridge = corrections.ridge
    total = float(ridge.mean_leverage[0]) * len(corrections)
    assert total == pytest.approx(np.sum((rows_in_order(corrections)[0] @ ridge.whitener) ** 2))
    assert 7.9 < ridge.noise_precision[0] * total < 8.0


@pytest.mark.parametrize(("percentile", "nominal"), [(0.0, 1.0), (1.0, 0.98), (10.0, 0.8)])
@pytest.mark.parametrize("bounds", ["sampled", "exact"])
def test_a_clipped_box_claims_the_share_between_its_ends(misspecified, bounds, percentile, nominal):
    """Draws lie within the box: their bounds cannot claim more than its own."""
    problem = dense_problem({"forces": misspecified[0]}, {"forces": misspecified[1]})
    posterior = Pops(bounds=bounds, percentile=percentile).fit(problem, np.random.default_rng(0))
    assert posterior.predict_rows(misspecified[0][:5], "forces").nominal == pytest.approx(nominal)


def test_an_ensemble_refuses_the_percentile_that_it_would_not_use():
    with pytest.raises(UqbenchError, match=r"percentile is 10.0, which cuts .* posterior is ensemble"):
        Pops(posterior="ensemble", percentile=10.0)


@pytest.mark.parametrize("method", [Pops(), Pops(bounds="exact"), Pops(posterior="ensemble")])
def test_bounds_do_not_depend_on_units(method, misspecified):
    rows, labels = misspecified
    units = np.geomspace(1e-3, 1e3, rows.shape[1])

    def bounds(rows, labels):
        posterior = method.fit(dense_problem({"forces": rows}, {"forces": labels}), np.random.default_rng(0))
        return posterior.predict_rows(rows[:50], "forces")

    a, b = bounds(rows, labels), bounds(rows * units, 27.2 * labels)
    np.testing.assert_allclose(27.2 * a.std, b.std, rtol=1e-6)
    if method.bounds == "exact" or method.posterior == "ensemble":
        np.testing.assert_allclose(27.2 * a.upper, b.upper, rtol=1e-6, atol=1e-6)


def test_whitened_box_is_orthonormal_in_the_metric_of_the_covariance(misspecified):
    """Axes Aᵀ S⁻¹ A = 1, every correction inside, and each side touched by one; clipped, 98 % between the ends."""
    corrections = corrections_of(*misspecified)
    w = corrections.ridge.whitener
    box = Box.whitened(corrections, 0.0)
    white = np.linalg.solve(w, box.axes)
    np.testing.assert_allclose(white.T @ white, np.eye(white.shape[1]), atol=1e-9)
    along = np.linalg.solve(w, dense(corrections).T).T @ white
    np.testing.assert_allclose(along.min(axis=0), box.low, rtol=1e-9)
    np.testing.assert_allclose(along.max(axis=0), box.high, rtol=1e-9)
    assert box.nominal == 1.0
    clipped = Box.whitened(corrections, 1.0)
    inside = (clipped.low <= along) & (along <= clipped.high)
    np.testing.assert_allclose(inside.mean(axis=0), clipped.nominal, atol=1.5 / len(along))


def test_whitened_bounds_know_no_units(misspecified):
    rows, labels = misspecified
    units = 10.0 ** np.linspace(-3, 3, rows.shape[1])
    one = PopsWhitened().fit(dense_problem({"forces": rows}, {"forces": labels}), np.random.default_rng(0))
    other = PopsWhitened().fit(
        dense_problem({"forces": rows * units}, {"forces": labels}), np.random.default_rng(0)
    )
    ours, theirs = one.predict_rows(rows[:9], "forces"), other.predict_rows(rows[:9] * units, "forces")
    np.testing.assert_allclose(ours.lower, theirs.lower, rtol=1e-8)
    np.testing.assert_allclose(ours.upper, theirs.upper, rtol=1e-8)
    assert ours.nominal == 0.98


def test_whitened_clipping_range_is_checked():
    with pytest.raises(UqbenchError, match=r"percentile is 50; it must lie in \[0, 50\)"):
        PopsWhitened(percentile=50)
