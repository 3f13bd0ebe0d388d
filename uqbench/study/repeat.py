"""One repeat of the synthetic study: every method fitted to one draw of a case and measured on fresh rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from uqbench.api import Array, LinearMethod, LinearProblem, Prediction
from uqbench.errors import UqbenchError
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.hull import Hull
from uqbench.report.ranking import BASELINE
from uqbench.scores.calibrate import fit_calibration
from uqbench.scores.intervals import covered, interval_score, width
from uqbench.study.synthetic import N_FEATURES, Case, Draw, as_problem, draw
from uqbench.study.theory import MAIN_LEVEL

N_TEST = 200
N_CALIBRATION = 200
"""Half of them give the conformal factor, so that its finite-sample bounds hold."""
ROUNDING = 1e-9
"""Of a label, by which bounds may miss it and still reach it."""

MEASURES = (
    "stated",
    "claim",
    "train",
    "coverage",
    "best",
    "width",
    "score",
    "calibrated_coverage",
    "calibrated_width",
    "calibrated_score",
)
"""What is measured of a method, averaged over test rows.

stated: coverage of the stated bounds, claim: what they claim (the 95 % interval where none are stated). train: share
of training rows that they cover. coverage, best: of labels and of the best linear fit by the 95 % interval. width: of
it, over the test RMSE. score: its interval score over that of calibrated `constant`. calibrated_*: the same after the
suite's calibration. Nan where a method gives no 95 % interval.
"""


@dataclass(frozen=True)
class UnflooredEnsemble(LinearMethod):
    """The POPS ensemble as in theory: every correction at its full length, so that each row is reached."""

    def fit(self, problem: LinearProblem, rng: Generator) -> Hull:
        """One pass; deterministic."""
        ridge = fit_ridge(problem)
        return Hull.of(PointwiseCorrections.of(problem, ridge, dict.fromkeys(ridge.kinds, 0.0)))


@dataclass(frozen=True)
class Trial:
    """A method under its name."""

    name: str
    method: LinearMethod


def run_repeat(case: Case, trials: Sequence[Trial], seed: Sequence[int]) -> tuple[Array, dict[str, str]]:
    """(n_trials, n_measures) of one draw, and why a method failed, by name; its row is nan.

    The seed decides the draw, which all methods share, and every fit. Raises UqbenchError if the baseline
    `constant` is not among the trials.
    """
    baseline = next((trial.method for trial in trials if trial.name == BASELINE), None)
    if baseline is None:
        raise UqbenchError(
            f"the study has no {BASELINE!r}, which scores are relative to; it needs that method."
        )
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(N_FEATURES)
    train, calibration, test = (draw(case, theta, n, rng) for n in (case.n, N_CALIBRATION, N_TEST))
    parts = Parts(train, calibration, test)
    unit = parts.measure(baseline, seed, 1.0)["calibrated_score"]
    found = np.full((len(trials), len(MEASURES)), np.nan)
    failures: dict[str, str] = {}
    for line, trial in zip(found, trials, strict=True):
        try:
            measured = parts.measure(trial.method, seed, unit)
        except UqbenchError as error:
            failures[trial.name] = str(error)
            continue
        line[:] = [measured.get(name, np.nan) for name in MEASURES]
    return found, failures


@dataclass(frozen=True)
class Parts:
    """What is fitted, calibrated and measured on."""

    train: Draw
    calibration: Draw
    test: Draw

    def measure(self, method: LinearMethod, seed: Sequence[int], unit: float) -> dict[str, float]:
        """MEASURES of a method; unit: interval score that its own are relative to."""
        posterior = method.fit(as_problem(self.train), np.random.default_rng(seed))
        on_train, on_calibration, on_test = (
            posterior.predict_rows(part.rows, "energy") for part in (self.train, self.calibration, self.test)
        )
        rmse = float(np.sqrt(np.mean((self.test.labels - on_test.mean) ** 2)))
        cluster = np.arange(len(self.calibration.labels))
        calibrated = fit_calibration(on_calibration, self.calibration.labels, cluster, (MAIN_LEVEL,))
        measured = self._scored("calibrated_", calibrated.apply(on_test).intervals[MAIN_LEVEL], rmse, unit)
        interval = on_test.interval(MAIN_LEVEL)
        if interval is not None:
            measured |= self._scored("", (interval.lower, interval.upper), rmse, unit)
            measured["best"] = float(covered(interval.lower, interval.upper, self.test.best).mean())
        for name, prediction, labels in (
            ("stated", on_test, self.test.labels),
            ("train", on_train, self.train.labels),
        ):
            lower, upper, measured["claim"] = _stated(prediction)
            # A correction reaches its row up to rounding.
            slack = ROUNDING * np.abs(labels)
            measured[name] = float(covered(lower - slack, upper + slack, labels).mean())
        return measured

    def _scored(self, prefix: str, bounds: tuple[Array, Array], rmse: float, unit: float) -> dict[str, float]:
        score = interval_score(*bounds, self.test.labels, MAIN_LEVEL).mean() / unit
        return {
            f"{prefix}coverage": float(covered(*bounds, self.test.labels).mean()),
            f"{prefix}width": float(width(*bounds).mean()) / rmse,
            f"{prefix}score": float(score),
        }


def _stated(prediction: Prediction) -> tuple[Array, Array, float]:
    """The bounds that a method states with what it claims, or its 95 % interval."""
    if prediction.lower is not None and prediction.upper is not None and prediction.nominal is not None:
        return prediction.lower, prediction.upper, prediction.nominal
    interval = prediction.interval(MAIN_LEVEL)
    if interval is None:
        raise UqbenchError("the method gives neither bounds nor a standard deviation.")
    return interval.lower, interval.upper, MAIN_LEVEL
