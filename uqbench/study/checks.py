"""Statements of theory beside what the study measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from uqbench.scores.calibrate import HALVED_CLUSTERS
from uqbench.study.linear import UNFLOORED, Study
from uqbench.study.repeat import N_CALIBRATION
from uqbench.study.synthetic import N_FEATURES, Case
from uqbench.study.theory import (
    MAIN_LEVEL,
    epistemic_coverage,
    epistemic_coverage_misspecified,
    predictive_coverage,
)

PREDICTIVE, EPISTEMIC = "bayesian_linear", "bayesian_linear:noise=false"
CONFIDENCE = 4.0
"""Standard errors by which a measured value may miss what is expected: the table makes some hundred comparisons."""


@dataclass(frozen=True)
class Check:
    """A statement on a case: measured ± error beside the range [low, high] that is expected of it.

    exact: whether theory holds at this n, or for n → ∞ only.
    """

    statement: str
    case: Case
    low: float
    high: float
    measured: float
    error: float
    exact: bool = True

    @property
    def distance(self) -> float:
        """How far the measured value lies outside the range, in standard errors."""
        outside = max(self.low - self.measured, self.measured - self.high, 0.0)
        if outside == 0.0:
            return 0.0
        return outside / self.error if self.error > 0.0 else float("inf")

    @property
    def holds(self) -> bool:
        """Whether the measured value lies in the range but for chance."""
        return self.distance <= CONFIDENCE


def theory_checks(study: Study) -> list[Check]:
    """All statements that the study's methods allow, in the order of the cases."""
    return [check for case in study.cases for check in _of_case(study, case)]


def _of_case(study: Study, case: Case) -> Iterator[Check]:
    p = N_FEATURES

    def equal(
        statement: str, method: str, measure: str, expected: float, exact: bool = True
    ) -> Iterator[Check]:
        if method in study.methods:
            yield Check(statement, case, expected, expected, *study.of(case, method, measure), exact)

    if case.misfit == 0.0:
        both = predictive_coverage(case.n, p)
        yield from equal("predictive interval covers labels", PREDICTIVE, "coverage", both)
        yield from equal("epistemic interval covers the true function", EPISTEMIC, "best", both)
        yield from equal(
            "epistemic interval covers labels", EPISTEMIC, "coverage", epistemic_coverage(case.n, p)
        )
    else:
        expected = epistemic_coverage_misspecified(case, p)
        yield from equal("epistemic interval covers labels", EPISTEMIC, "coverage", expected, exact=False)
    yield from equal("POPS ensemble without floor covers every training row", UNFLOORED, "train", 1.0)
    yield _conformal(study, case)


def _conformal(study: Study, case: Case) -> Check:
    """The method that is furthest off: coverage in [level, level + 1/(n + 1)] (Lei et al. 2018, theorem 2.2)."""
    n = N_CALIBRATION // 2 if N_CALIBRATION >= HALVED_CLUSTERS else N_CALIBRATION
    checks = [
        Check(
            f"calibrated interval covers labels (furthest off: {method})",
            case,
            MAIN_LEVEL,
            MAIN_LEVEL + 1.0 / (n + 1.0),
            *study.of(case, method, "calibrated_coverage"),
        )
        for method in study.methods
    ]
    return max(checks, key=lambda check: (check.distance, check.measured))
