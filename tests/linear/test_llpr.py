"""LLPR: scale, regulariser and coverage against closed forms and brute force."""

import numpy as np
import pytest
from dense_problems import dense_problem
from scipy.stats import norm, t

from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.folds import leave_folds_out
from uqbench_methods.llpr import REGULARISERS, Llpr

Q = norm.ppf(0.975)


def well_specified(n, p, noise, rng):
    rows = rng.standard_normal((n, p))
    return rows, rows @ rng.standard_normal(p) + noise * rng.standard_normal(n)


def one_kind(rows, labels):
    return dense_problem({"forces": rows}, {"forces": labels})


def test_variance_and_coverage_of_homoscedastic_data_are_their_closed_forms():
    """Isotropic rows: v ∝ |x|², s² = E[e²/v], so variance = σ²|x|²/(P − 2), since E[1/χ²_P] = 1/(P − 2).

    And the 95 % interval covers P(|t_P| < q sqrt(P/(P − 2))), Student's t with P degrees of freedom.
    """
    rng = np.random.default_rng(0)
    p, noise = 12, 0.3
    rows, labels = well_specified(6000, p, noise, rng)
    posterior = Llpr().fit(one_kind(rows, labels), rng)
    theta = np.linalg.lstsq(rows, labels, rcond=None)[0]
    test = rng.standard_normal((20_000, p))
    found = posterior.predict_rows(test, "forces")
    ratio = found.std**2 * (p - 2) / (noise**2 * (test**2).sum(axis=1))
    assert ratio.mean() == pytest.approx(1.0, rel=0.06)
    assert ratio.std() < 0.05
    truth = test @ theta + noise * rng.standard_normal(20_000)
    covered = np.mean((found.lower <= truth) & (truth <= found.upper))
    expected = 1.0 - 2.0 * t.sf(Q * np.sqrt(p / (p - 2)), p)
    assert covered == pytest.approx(expected, abs=0.01)


def test_scale_and_regulariser_maximise_the_held_out_likelihood():
    """Brute force on a fine grid of ς and of s, each fit anew, in two kinds of different noise."""
    rng = np.random.default_rng(1)
    rows = {"energy": rng.standard_normal((40, 6)), "forces": rng.standard_normal((150, 6))}
    spectrum = np.array([3.0, 1.0, 0.1, 0.03, 1e-3, 1e-4])
    rows = {k: x * spectrum for k, x in rows.items()}
    theta = rng.standard_normal(6)
    labels = {
        k: x @ theta + s * rng.standard_normal(len(x)) + x[:, 0] ** 2
        for (k, x), s in zip(rows.items(), (0.1, 0.5), strict=True)
    }
    problem = dense_problem(rows, labels)
    posterior = Llpr(folds=5).fit(problem, np.random.default_rng(7))
    ridge = fit_ridge(problem)
    left_out = leave_folds_out(problem, ridge, 5, np.random.default_rng(7))

    def loss(regulariser, scales):
        """-2 log likelihood; x (G_f + ςI)⁻¹ x from a dense solve."""
        total = 0.0
        for fold, kind, x, e in left_out.held_out():
            seen = [(left_out.folds(b) != fold, b) for b in problem.blocks()]
            stacked = np.concatenate([b.rows[m] for m, b in seen]) / ridge.column_scale
            alpha = np.concatenate([np.asarray(ridge.noise_precision)[b.kind[m]] for m, b in seen])
            gram = stacked.T @ (alpha[:, None] * stacked) + regulariser * np.eye(6)
            z = x / ridge.column_scale
            v = np.einsum("np,pn->n", z, np.linalg.solve(gram, z.T)) * scales[kind] ** 2
            total += np.sum(np.log(v) + e**2 / v)
        return total

    best = posterior.facts["regulariser"]
    scales = {k: posterior.facts[f"scale_{k}"] for k in ("energy", "forces")}
    value = loss(best, scales)
    for kind in scales:
        for factor in (0.98, 1.02):
            assert loss(best, {**scales, kind: factor * scales[kind]}) > value
    step = 10**0.5
    for regulariser in (best / step**6, best / step, best * step, best * step**6):
        ratios = {"energy": [], "forces": []}
        for s in np.geomspace(0.2, 5.0, 60):
            for kind in scales:
                ratios[kind].append(loss(regulariser, {**scales, kind: s * scales[kind]}))
        gain = sum(min(r) - loss(regulariser, scales) for r in ratios.values())
        assert loss(regulariser, scales) + gain >= value - 1e-6 * abs(value)


def test_the_regulariser_is_the_best_of_all_tried():
    """Errors drawn with the variance of one inside the range: the likelihood by dense solves has its peak there."""
    rng = np.random.default_rng(5)
    spectrum = np.array([1.0, 0.3, 0.03, 0.01, 0.001])
    turned = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    rows, noise = {}, {}
    for kind, n, size in (("energy", 120, 0.02), ("forces", 480, 0.2)):
        along = rng.standard_normal((n, 5)) * spectrum
        noise[kind] = size * np.sqrt((along**2 / (spectrum**2 + 3e-4)).sum(axis=1))
        rows[kind] = along @ turned
    labels = {k: x @ np.ones(5) + noise[k] * rng.standard_normal(len(x)) for k, x in rows.items()}
    problem = dense_problem(rows, labels)
    posterior = Llpr(folds=4).fit(problem, np.random.default_rng(7))
    ridge = fit_ridge(problem)
    left_out = leave_folds_out(problem, ridge, 4, np.random.default_rng(7))
    blocks = list(problem.blocks())
    x = np.concatenate([b.rows for b in blocks]) / ridge.column_scale
    alpha = np.concatenate([ridge.precisions(b) for b in blocks])
    fold = np.concatenate([left_out.folds(b) for b in blocks])
    grams = [x[fold != f].T @ (alpha[fold != f, None] * x[fold != f]) for f in range(4)]
    tried = REGULARISERS * np.mean([np.trace(g) / 5 for g in grams])

    def loss(regulariser):
        log, square, count = {}, {}, {}
        for f, kind, held, e in left_out.held_out():
            z = held / ridge.column_scale
            v = np.einsum("np,pn->n", z, np.linalg.solve(grams[f] + regulariser * np.eye(5), z.T))
            log[kind] = log.get(kind, 0.0) + np.log(v).sum()
            square[kind] = square.get(kind, 0.0) + np.sum(e**2 / v)
            count[kind] = count.get(kind, 0) + len(e)
        return sum(count[k] * np.log(square[k] / count[k]) + log[k] for k in count)

    losses = [loss(r) for r in tried]
    best = int(np.argmin(losses))
    assert 3 < best < len(tried) - 3
    assert np.min(np.delete(losses, best)) > losses[best] + 0.1
    assert posterior.facts["regulariser"] == pytest.approx(tried[best], rel=1e-6)


def test_shape_is_the_prediction_rigidity():
    """Half-widths are q s sqrt(xᵀ(G + ςI)⁻¹x), G = Σ α x xᵀ in scaled columns, straight from the formula."""
    rng = np.random.default_rng(2)
    rows, labels = well_specified(120, 5, 0.2, rng)
    problem = one_kind(rows, labels)
    posterior = Llpr().fit(problem, np.random.default_rng(0))
    ridge = fit_ridge(problem)
    x = rows / ridge.column_scale
    gram = ridge.noise_precision[0] * x.T @ x + posterior.facts["regulariser"] * np.eye(5)
    v = np.einsum("np,pn->n", x, np.linalg.solve(gram, x.T))
    found = posterior.predict_rows(rows, "forces")
    np.testing.assert_allclose(found.std, posterior.facts["scale_forces"] * np.sqrt(v), rtol=1e-6)
    np.testing.assert_allclose(found.upper - found.mean, Q * found.std, rtol=1e-9)


def test_widths_do_not_depend_on_units():
    rng = np.random.default_rng(3)
    rows, labels = well_specified(150, 6, 0.2, rng)
    units = np.geomspace(1e-3, 1e3, 6)

    def std(x, y):
        return Llpr().fit(one_kind(x, y), np.random.default_rng(0)).predict_rows(x, "forces").std

    np.testing.assert_allclose(std(rows * units, 27.2 * labels), 27.2 * std(rows, labels), rtol=1e-6)


def test_rows_of_zeros_leave_scale_and_regulariser_as_they_are():
    """Labels of rows that no coefficient moves say nothing of how firmly others are held."""
    rng = np.random.default_rng(4)
    rows, labels = well_specified(100, 4, 0.2, rng)
    energy = rng.standard_normal((40, 4))
    energies = energy @ np.ones(4)
    dead = np.arange(40) % 4 == 0
    energy[dead] = 0.0
    problem = dense_problem({"energy": energy, "forces": rows}, {"energy": energies, "forces": labels})
    posterior = Llpr(folds=3).fit(problem, np.random.default_rng(0))
    assert np.isfinite(list(posterior.scale.values())).all()
    assert (posterior.predict_rows(energy[dead], "energy").std == 0).all()
    none = dense_problem({"energy": 0 * energy, "forces": rows}, {"energy": energies, "forces": labels})
    assert "energy" not in Llpr(folds=3).fit(none, np.random.default_rng(0)).scale


def test_one_fold_is_refused():
    with pytest.raises(UqbenchError, match="folds is 1"):
        Llpr(folds=1)
