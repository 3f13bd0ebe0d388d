"""What `uqbench ci` makes of a suite that ran in part, and of names; and the suite that uqbench's own CI runs."""

import subprocess
from pathlib import Path

import pytest
from toy_comparison import failed, record, tables, write

from uqbench.ci.command import Ci, run_ci
from uqbench.ci.job import CiJob, ci_job
from uqbench.compare.side import read_side
from uqbench.registry import discover
from uqbench.suite.config import Suite, dump_suite, find_suite, load_suite
from uqbench.suite.run import plan_suite

RECORDS = Path(__file__).parents[2] / "leaderboard" / "records"


@pytest.fixture(name="ran")
def _ran(tmp_path, monkeypatch):
    """Compare made-up results of a run that ended with an exit code, of a suite of two datasets."""

    def run(made, code):
        for folder, records in ((tmp_path / "base", BASE), (tmp_path / "out" / "records", made)):
            folder.mkdir(parents=True)
            for one, raw in records:
                write(folder, one, raw)
        (tmp_path / "out" / "suite.yaml").write_text(dump_suite(Suite(datasets=("toy", "other"))))
        done = subprocess.CompletedProcess([], code, stderr="")
        monkeypatch.setattr("uqbench.ci.command.subprocess.run", lambda *a, **k: done)
        asked = Ci("ours.yaml", str(tmp_path / "base"), tmp_path / "out", "", "", False)
        return run_ci(asked, {}), (tmp_path / "out" / "comment.md").read_text()

    return run


def failing(dataset):
    one = failed("broken")
    cell = one.cell.model_copy(update={"dataset": dataset})
    return one.model_copy(update={"cell": cell, "cell_id": one.cell_id.replace("toy/", f"{dataset}/", 1)})


BASE = [(record(), tables()), (record(dataset="other"), tables(seed=2)), (failing("toy"), None)]


def test_a_cell_that_fails_as_it_did_is_no_regression(ran):
    code, comment = ran(BASE, 1)
    assert code == 0
    assert "did not run whole" not in comment


@pytest.mark.parametrize("kept", [[0], [0, 2]], ids=["alone", "beside a failure that is known"])
def test_a_dataset_that_is_gone_is_no_pass(ran, kept):
    code, comment = ran([BASE[k] for k in kept], 1)
    assert code == 2
    assert "did not run whole" in comment


def test_a_regression_is_one_though_the_suite_did_not_run_whole(ran):
    code, comment = ran([(record(), tables(widened=1.5))], 1)
    assert code == 1
    assert "did not run whole" in comment


@pytest.mark.parametrize(
    ("name", "suite", "called"),
    [
        ("", "suites/ours.yaml", "ours"),
        ("", "smoke", "smoke"),
        ("a/b --> c", "ours.yaml", "a-b-c"),
        ("--", "ours.yaml", "suite"),
    ],
)
def test_names_are_safe_in_markers_and_paths(name, suite, called):
    assert Ci(suite, "base", Path(), name, "", False).called == called


def test_without_a_service_nothing_is_known_of_the_job():
    assert ci_job({}) == CiJob()


def test_every_cell_of_our_own_suite_has_a_committed_record():
    plan = plan_suite(load_suite(find_suite("smoke")), discover())
    committed = read_side(RECORDS).entries
    assert {fit.cell(task).cell_id for fit in plan for task in fit.tasks} <= set(committed)
