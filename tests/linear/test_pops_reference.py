"""The reference mode against popsregression 0.4.0 itself, for every posterior and resampling option."""

import warnings

import numpy as np
import pytest
from dense_problems import dense_problem
from popsregression import POPSRegression
from scipy.stats import qmc
from sklearn.linear_model import BayesianRidge

from uqbench.errors import UqbenchError
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.sampled_box import BLOCK, BoxDraws, SampledBox
from uqbench.linear.sklearn_ridge import sklearn_ridge
from uqbench_methods.pops_reference import PopsReference

METHODS = ["uniform", "sobol", "latin", "halton"]
SETTINGS = [
    {},
    {"percentile_clipping": 3.0},
    {"leverage_percentile": 0.0},
    {"leverage_percentile": 83.0, "mode_threshold": 0.02},
    {"resample_density": 0.4},
    {"resample_density": 3.7},
]


def regression(n, p, seed):
    """Well-conditioned rows of two kinds whose labels hold parts that no coefficients reach."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p)
    labels = rows @ rng.standard_normal(p) + 0.3 * np.sin(3.0 * rows[:, 0]) + 0.2 * rows[:, 1] ** 2
    return rows, labels


def two_kinds(rows, labels):
    """The same rows as energies and forces; kinds are pooled, so where the cut lies makes no difference."""
    cut = len(labels) // 3
    return dense_problem(
        {"energy": rows[:cut], "forces": rows[cut:]}, {"energy": labels[:cut], "forces": labels[cut:]}
    )


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


def theirs(rows, labels, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return POPSRegression(**settings).fit(rows, labels)


def signs_and_order(box, model):
    """Eigenvectors are given up to a sign: theirs in terms of ours."""
    overlap = np.sum(box.axes * model._hypercube_support, axis=0)
    np.testing.assert_allclose(np.abs(overlap), 1.0, rtol=1e-10)
    return np.sign(overlap)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("method", METHODS)
def test_hypercube_equals_popsregression_given_its_samples(method, settings):
    for seed, (n, p) in enumerate([(120, 5), (401, 12)]):
        rows, labels = regression(n, p, seed)
        model = theirs(rows, labels, resampling_method=method, **settings)
        ours = PopsReference(resampling_method=method, **settings).fit(
            two_kinds(rows, labels), np.random.default_rng(0)
        )
        sign = signs_and_order(ours.box, model)
        low, high = model._hypercube_bounds
        close(np.where(sign > 0, ours.box.low, -ours.box.high), low)
        close(np.where(sign > 0, ours.box.high, -ours.box.low), high)
        assert ours.facts["n_samples"] == model.posterior_samples_.shape[1]

        injected = SampledBox.of(ours.box, np.array_split(model.posterior_samples_.T @ ours.box.axes, 3))
        test = np.random.default_rng(99).standard_normal((200, p))
        mean, std, upper, lower = model.predict(test, return_std=True, return_bounds=True)
        found = injected.predict_rows(test, "forces")
        close(found.mean, mean)
        close(found.std, std)
        close(found.upper, np.maximum(upper, mean))
        close(found.lower, np.minimum(lower, mean))


@pytest.mark.parametrize("settings", [{}, {"leverage_percentile": 0.0}, {"leverage_percentile": 97.0}])
def test_ensemble_equals_popsregression(settings):
    rows, labels = regression(300, 9, 3)
    model = theirs(rows, labels, posterior="ensemble", **settings)
    ours = PopsReference(posterior="ensemble", **settings).fit(
        two_kinds(rows, labels), np.random.default_rng(0)
    )
    assert len(ours.corrections) == model.posterior_samples_.shape[1]
    test = np.random.default_rng(98).standard_normal((200, 9))
    mean, std, upper, lower = model.predict(test, return_std=True, return_bounds=True)
    found = ours.predict_rows(test, "forces")
    close(found.mean, mean)
    close(found.std, std)
    close(found.upper, np.maximum(upper, mean))
    close(found.lower, np.minimum(lower, mean))


@pytest.mark.parametrize("shape", [(200, 7), (12, 30), (20, 20)])
@pytest.mark.parametrize("noise", [1e-3, 1.0, 100.0])
def test_ridge_is_that_of_scikit_learn_at_its_defaults(shape, noise):
    """Precisions after as many iterations, with more and with fewer rows than columns."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal(shape)
    labels = 3.0 + rows @ rng.standard_normal(shape[1]) + noise * rng.standard_normal(shape[0])
    model = BayesianRidge(fit_intercept=False).fit(rows, labels)
    ridge = sklearn_ridge(two_kinds(rows, labels))
    assert ridge.iterations == model.n_iter_
    assert ridge.prior_precision == pytest.approx(model.lambda_, rel=1e-8)
    np.testing.assert_allclose(ridge.noise_precision, model.alpha_, rtol=1e-8)
    close(ridge.mean, model.coef_)
    close(ridge.whitener @ ridge.whitener.T, model.sigma_)


def test_residuals_and_leverages_of_the_ridge_are_those_of_each_kind():
    rows, labels = regression(90, 4, 1)
    ridge = sklearn_ridge(two_kinds(rows, labels))
    leverage = np.einsum("np,pq,nq->n", rows, ridge.whitener @ ridge.whitener.T, rows)
    residual = labels - rows @ ridge.mean
    for k, part in enumerate((slice(30), slice(30, None))):
        assert ridge.residual_rms[k] == pytest.approx(np.sqrt(np.mean(residual[part] ** 2)), rel=1e-9)
        assert ridge.mean_leverage[k] == pytest.approx(leverage[part].mean(), rel=1e-9)


def test_later_rule_uses_rows_that_are_missed_and_floors_leverages():
    """Dense formulas of the rule, on rows some of which are hardly missed and some can hardly be moved."""
    rows, labels = regression(200, 6, 8)
    rows[:20] *= 1e-5
    labels[:10], labels[10:20] = 0.05, 1e-4
    ours = PopsReference(posterior="ensemble", rule="later").fit(
        two_kinds(rows, labels), np.random.default_rng(0)
    )
    model = BayesianRidge(fit_intercept=False).fit(rows, labels)
    error = labels - rows @ model.coef_
    direction = model.alpha_ * rows @ model.sigma_
    leverage = np.maximum(np.sum(direction * rows, axis=1), 1e-6)
    assert (leverage == 1e-6).sum() == 20
    keep = np.abs(error) >= 0.01 * np.sqrt(np.mean(error**2))
    assert 10 <= (~keep).sum() < 40
    assert keep[:10].all()
    assert not keep[10:20].any()
    changes = (direction * (error / leverage)[:, None])[keep]
    assert len(ours.corrections) == len(changes)
    test = np.random.default_rng(97).standard_normal((50, 6))
    found = ours.predict_rows(test, "forces")
    close(found.upper - found.mean, np.maximum((test @ changes.T).max(axis=1), 0.0))
    close(found.mean - found.lower, -np.minimum((test @ changes.T).min(axis=1), 0.0))
    moment = changes.T @ changes / len(changes) + model.sigma_
    close(found.std, np.sqrt(np.einsum("np,pq,nq->n", test, moment, test)))


def test_scales_of_kinds_divide_rows_before_they_are_pooled():
    """A problem's rows come divided by their scales: nothing else tells the kinds apart."""
    rows, labels = regression(150, 5, 2)
    pooled = PopsReference(posterior="ensemble").fit(two_kinds(rows, labels), np.random.default_rng(0))
    one_kind = dense_problem({"forces": rows}, {"forces": labels})
    single = PopsReference(posterior="ensemble").fit(one_kind, np.random.default_rng(0))
    a, b = pooled.predict_rows(rows, "energy"), single.predict_rows(rows, "forces")
    close(a.upper, b.upper)
    close(a.std, b.std)


@pytest.mark.parametrize("n", [128, BLOCK, 4 * BLOCK])
@pytest.mark.parametrize("method", METHODS)
def test_points_are_scipys_and_the_same_on_every_pass(method, n):
    low, high = np.array([-1.0, 0.5, -3.0]), np.array([2.0, 0.75, -1.0])
    draws = BoxDraws(low, high, n, method, seed=42)
    found, again = np.concatenate(list(draws)), np.concatenate(list(draws))
    np.testing.assert_array_equal(found, again)
    engine = {"sobol": qmc.Sobol, "latin": qmc.LatinHypercube, "halton": qmc.Halton}.get(method)
    rng = np.random.default_rng(42)
    expected = rng.random((n, 3)) if engine is None else engine(3, rng=rng).random(n)
    np.testing.assert_allclose(found, low + (high - low) * expected, rtol=1e-14)


def test_points_come_in_blocks_unless_they_are_a_latin_hypercube():
    low, high = np.zeros(2), np.ones(2)
    assert max(len(b) for b in BoxDraws(low, high, 3 * BLOCK + 5, "halton", 0)) == BLOCK
    assert len(list(BoxDraws(low, high, 3 * BLOCK + 5, "latin", 0))) == 1


def test_no_block_of_corrections_is_larger_than_a_block_of_rows():
    rows, labels = regression(400, 5, 6)
    ours = PopsReference(posterior="ensemble").fit(
        dense_problem({"forces": rows}, {"forces": labels}, n_blocks=8), np.random.default_rng(0)
    )
    assert isinstance(ours.corrections, PointwiseCorrections)
    assert max(len(b) for b in ours.corrections.whitened()) <= 50


def test_one_sided_samples_keep_the_mean_within_the_bounds():
    """With few samples popsregression's bounds can leave out its own mean; those of a prediction may not."""
    rows, labels = regression(120, 5, 0)
    ours = PopsReference().fit(two_kinds(rows, labels), np.random.default_rng(0))
    one_sided = SampledBox.of(ours.box, [np.abs(ours.box.high) * np.ones((3, 1))])
    found = one_sided.predict_rows(ours.box.axes.T, "forces")
    np.testing.assert_allclose(found.lower, found.mean)
    assert (found.upper > found.mean).all()


def test_clipped_bounds_claim_what_the_box_does():
    rows, labels = regression(120, 5, 0)
    ours = PopsReference(percentile_clipping=3.0).fit(two_kinds(rows, labels), np.random.default_rng(0))
    assert ours.predict_rows(rows[:3], "forces").nominal == pytest.approx(0.94)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resample_density", 0.0),
        ("percentile_clipping", 50.0),
        ("leverage_percentile", 100.0),
        ("mode_threshold", 0.0),
    ],
)
def test_parameters_out_of_range_are_refused(field, value):
    with pytest.raises(UqbenchError, match=f"{field} is {value}"):
        PopsReference(**{field: value})
