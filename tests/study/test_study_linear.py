"""The study itself: what theory says of the methods, at a few repeats; the command; the suite that goes with it."""

import re

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from uqbench.cli import main
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.study.checks import theory_checks
from uqbench.study.linear import (
    FAMILIES,
    UNFLOORED,
    Study,
    all_cases,
    linear_trials,
    run_study,
)
from uqbench.study.page import case_cells, theory_cells, write_study
from uqbench.study.repeat import MEASURES, Trial, UnflooredEnsemble, run_repeat
from uqbench.study.synthetic import N_FEATURES, Case
from uqbench_methods.bayesian_linear import BayesianLinear
from uqbench_methods.constant import Constant
from uqbench_methods.pops import Pops

TRIALS = (
    Trial("bayesian_linear", BayesianLinear()),
    Trial("bayesian_linear:noise=false", BayesianLinear(noise=False)),
    Trial("constant", Constant()),
    Trial("pops", Pops()),
    Trial("pops:posterior=ensemble", Pops(posterior="ensemble")),
    Trial(UNFLOORED, UnflooredEnsemble()),
)
CASES = tuple(
    Case(name, ratio * N_FEATURES, *FAMILIES[name])
    for name in ("well specified", "misspecified")
    for ratio in (3, 30)
)


@pytest.fixture(scope="module")
def study():
    # Problems are small: a thread more only slows. Limits hold for libraries that are loaded.
    import scipy.linalg  # noqa: F401

    with threadpool_limits(1):
        values = np.array(
            [[run_repeat(c, TRIALS, [i, r])[0] for r in range(30)] for i, c in enumerate(CASES)]
        )
    return Study(CASES, tuple(t.name for t in TRIALS), values)


def test_every_statement_of_theory_holds(study):
    checks = theory_checks(study)
    assert len([c for c in checks if c.exact]) == 2 * 3 + 4 * 2
    assert not [c for c in checks if c.exact and not c.holds]
    limit = [c for c in checks if not c.exact and c.case.n == 300]
    assert limit[0].measured == pytest.approx(limit[0].low, rel=0.15)


def test_every_linear_method_takes_a_problem_of_energies_alone():
    """None fails, and each can be calibrated."""
    trials = linear_trials(discover())
    found, failures = run_repeat(Case("mixed", 30 * N_FEATURES, 0.1, 0.1), trials, [0, 0])
    assert failures == {}
    assert np.isfinite(found[:, MEASURES.index("calibrated_coverage")]).all()


def test_a_statement_that_is_wrong_does_not_hold(study):
    """Were the predictive interval the epistemic one, the table would say so."""
    swapped = list(study.methods)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    wrong = Study(study.cases, tuple(swapped), study.values)
    assert not all(c.holds for c in theory_checks(wrong) if "predictive" in c.statement)


def test_calibrated_coverage_lies_within_its_finite_sample_bounds(study):
    """Pooled over cases and repeats: [0.95, 0.95 + 1/101] but for three standard errors."""
    values = study.values[..., MEASURES.index("calibrated_coverage")].mean(axis=2).ravel()
    slack = 3.0 * values.std(ddof=1) / np.sqrt(len(values))
    assert 0.95 - slack < values.mean() < 0.95 + 1.0 / 101.0 + slack


def test_the_epistemic_width_vanishes_and_the_error_stays(study):
    few, many = study.family("misspecified")
    epistemic = "bayesian_linear:noise=false"
    ratio = study.of(few, epistemic, "width")[0] / study.of(many, epistemic, "width")[0]
    assert ratio == pytest.approx(np.sqrt(10.0), rel=0.15)
    assert study.of(many, epistemic, "coverage")[0] < 0.4
    # What it does cover is the best linear fit, if not quite: the misfit is taken for white noise.
    assert 0.85 < study.of(many, epistemic, "best")[0] < 0.95
    assert study.of(many, "bayesian_linear", "width")[0] == pytest.approx(3.92, rel=0.1)


def test_pops_is_sharper_than_the_baseline_only_where_the_model_is_wrong(study):
    wrong, right = (study.family(name)[-1] for name in ("misspecified", "well specified"))
    assert study.of(wrong, "pops", "calibrated_score")[0] < 0.85
    assert study.of(right, "pops", "calibrated_score")[0] == pytest.approx(1.0, abs=0.03)


def test_training_rows_that_the_floor_leaves_out_are_counted():
    """One row near zero: its correction is cut short by the floor, and only the unfloored ensemble reaches it."""
    from uqbench.study.repeat import Parts
    from uqbench.study.synthetic import Draw, draw

    rng = np.random.default_rng(5)
    theta = rng.standard_normal(N_FEATURES)
    train, calibration, test = (draw(CASES[0], theta, n, rng) for n in (100, 50, 50))
    rows = np.concatenate([train.rows, 1e-5 * rng.standard_normal((1, N_FEATURES))])
    labels = np.append(train.labels, 0.5)
    parts = Parts(Draw(rows, labels, rows @ theta), calibration, test)
    share = {
        trial.name: parts.measure(trial.method, [0], 1.0)["train"]
        for trial in TRIALS
        if "ensemble" in trial.name
    }
    assert share == {"pops:posterior=ensemble": pytest.approx(100 / 101), UNFLOORED: 1.0}


class Refuses(Constant):
    """Fits nothing with so few rows."""

    def fit(self, problem, rng):
        if problem.counts["energy"] < 100:
            raise UqbenchError("too few rows.")
        return super().fit(problem, rng)


def test_a_method_that_fails_takes_no_other_down(tmp_path):
    trials = (Trial("constant", Constant()), Trial("refuses", Refuses()))
    ticks = []
    study = run_study(trials, CASES[:2], 2, 2, lambda done, total: ticks.append((done, total)))
    assert ticks == [(i, 4) for i in range(1, 5)]
    assert study.failures == {(CASES[0], "refuses"): "too few rows."}
    assert np.isnan(study.of(CASES[0], "refuses", "coverage")).all()
    header, rows = case_cells(study, CASES[0])
    assert rows[1][1:] == ["–"] * (len(header) - 1)
    page = write_study(study, tmp_path).read_text()
    assert "| refuses | well specified, n/P = 3 | too few rows. |" in page
    again = run_study(trials, CASES[:2], 2, 1, lambda done, total: None)
    np.testing.assert_array_equal(study.values, again.values)


def test_scores_need_the_baseline_and_errors_need_repeats():
    with pytest.raises(UqbenchError, match="'constant'"):
        run_repeat(CASES[0], TRIALS[:2], [0])
    with pytest.raises(UqbenchError, match="repeats is 1"):
        run_study(TRIALS, CASES, 1, 1, lambda done, total: None)


def test_all_linear_methods_and_variants_are_in():
    names = [trial.name for trial in linear_trials(discover())]
    assert {"pops", "pops:bounds=exact", "llpr", "bayesian_linear:noise=false", UNFLOORED} <= set(names)
    assert len(names) == len(set(names))
    assert len(all_cases()) == 12


def test_tables_say_what_was_measured(study):
    header, rows = theory_cells(study)
    ensemble = [row for row in rows if "training row" in row[0]]
    assert [row[2:] for row in ensemble] == [["100.0", "100.0 ± 0.0", "yes"]] * 4
    assert {len(row) for row in rows} == {len(header)}
    _, rows = case_cells(study, CASES[-1])
    number = study.values[-1, :, 0, MEASURES.index("coverage")].mean()
    assert rows[0][4].startswith(f"{100.0 * number:.1f} ± ")


def test_the_command_from_end_to_end(tmp_path, monkeypatch, capsys):
    from uqbench.study import command

    monkeypatch.setattr(command, "all_cases", lambda: CASES[:3:2])
    monkeypatch.setattr(command, "linear_trials", lambda registry: list(TRIALS))
    assert main(["study", "linear", "--repeats", "2", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "4 of 4 draws" in shown
    assert "misspecified, n/P = 3" in shown
    page = (tmp_path / "linear-study.md").read_text()
    for name in re.findall(r"\]\((figures/.*?)\)", page):
        assert (tmp_path / name).read_bytes().lstrip().startswith(b"<?xml")
    assert "study linear --repeats 2" in page
    assert main(["study", "linear", "--repeats", "1", "--out", str(tmp_path)]) == 2
