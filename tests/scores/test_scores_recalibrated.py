"""Scores with other calibration clusters, against calibrating again; and that luck in calibration is no difference."""

import numpy as np
import pytest
from scipy.stats import binom

from uqbench.api import Prediction
from uqbench.report.ranking import resampled_means
from uqbench.scores.calibrate import conformal_factor, fit_calibration
from uqbench.scores.comparison import bootstrap_p
from uqbench.scores.intervals import interval_score
from uqbench.scores.recalibrated import fold_scores

LEVEL, Z = 0.95, 1.959963984540054


def part(rng, cluster, spread=0.25):
    """Errors of known size, and what a method says of it: right up to a factor, log-normal."""
    true = np.exp(rng.normal(0.0, 0.5, len(cluster)))
    error = true * rng.standard_normal(len(cluster))
    return Prediction(np.zeros(len(cluster)), true * rng.lognormal(0.0, spread, len(cluster))), error, cluster


@pytest.mark.parametrize(("n_clusters", "each"), [(27, 1), (40, 7), (230, 1)])
def test_without_resampling_scores_are_those_of_the_calibration(n_clusters, each):
    rng = np.random.default_rng(n_clusters)
    calibrating = part(rng, np.repeat(np.arange(n_clusters), each))
    tested = part(rng, np.repeat(np.arange(500, 530), 4))
    calibration = fit_calibration(*calibrating)
    assert calibration.halved == (n_clusters >= 200)
    lower, upper = calibration.apply(tested[0]).intervals[LEVEL]
    expected = interval_score(lower, upper, tested[1], LEVEL).sum()
    found = fold_scores(calibration, LEVEL, calibrating, tested)
    ones = np.ones((1, len(found.tested))), np.ones((1, len(found.calibrating)))
    assert found.totals(*ones) == pytest.approx([expected], rel=1e-12)


def test_resamples_score_as_predictions_calibrated_again():
    """Factor of the drawn clusters' ratios, put together one by one; few enough that all factors are tabulated."""
    rng = np.random.default_rng(1)
    calibrating = part(rng, np.arange(27))
    tested = part(rng, np.repeat(np.arange(100, 120), 3))
    calibration = fit_calibration(*calibrating)
    found = fold_scores(calibration, LEVEL, calibrating, tested)
    times = [rng.multinomial(n, np.full(n, 1.0 / n), size=200).astype(float) for n in (20, 27)]
    totals = found.totals(*times)
    half = calibration.a * calibrating[0].std + calibration.c
    half_tested = calibration.a * tested[0].std + calibration.c
    for row in range(200):
        again = np.repeat(np.arange(27), times[1][row].astype(int))
        factor = conformal_factor(calibrating[1][again], Z * half[again], Z * half[again], LEVEL)
        bound = factor * Z * half_tested
        score = interval_score(-bound, bound, tested[1], LEVEL)
        assert totals[row] == pytest.approx(np.sum(score * np.repeat(times[0][row], 3)), rel=1e-9)


def test_errors_of_zero_give_no_interval_without_width():
    rng = np.random.default_rng(4)
    prediction, error, cluster = part(rng, np.arange(100))
    error = np.where(np.arange(100) < 60, 0.0, error)
    calibration = fit_calibration(prediction, error, cluster)
    found = fold_scores(calibration, LEVEL, (prediction, error, cluster), (prediction, error, cluster))
    assert (found.sums > 0.0).all()


def test_a_level_out_of_reach_has_no_scores():
    rng = np.random.default_rng(2)
    calibrating = part(rng, np.arange(12))
    assert fold_scores(fit_calibration(*calibrating), LEVEL, calibrating, calibrating) is None


def test_luck_in_calibration_is_not_taken_for_a_difference():
    """Two methods with error bars of the same law, 27 calibration and 68 test values in each of three folds.

    The share of trials that tell them apart at 5 %; with calibrations that count as given it is a quarter.
    """
    rng, wrong, trials = np.random.default_rng(3), {"given": 0, "drawn": 0}, 60
    for _ in range(trials):
        sums, folds = np.zeros((204, 2)), {0: [], 1: []}
        for fold in range(3):
            tested = np.arange(68 * fold, 68 * (fold + 1))
            calibrating = (68 * (fold + 1) + np.arange(27)) % 204
            errors = [part(rng, cluster, 0.0) for cluster in (calibrating, tested)]
            for method in (0, 1):
                said = [
                    (Prediction(p.mean, p.std * rng.lognormal(0.0, 0.25, len(e))), e, c) for p, e, c in errors
                ]
                calibration = fit_calibration(*said[0])
                folds[method].append(fold_scores(calibration, LEVEL, *said))
                lower, upper = calibration.apply(said[1][0]).intervals[LEVEL]
                sums[tested, method] = interval_score(lower, upper, said[1][1], LEVEL)
        for name, recalibrated in (("given", {}), ("drawn", folds)):
            draws = resampled_means(sums, np.ones(204), clusters=np.arange(204), recalibrated=recalibrated)
            wrong[name] += bootstrap_p(draws[1:, 0] - draws[1:, 1]) < 0.05
    assert wrong["given"] > binom.isf(0.001, trials, 0.05)
    assert wrong["drawn"] <= binom.isf(0.01, trials, 0.05)
