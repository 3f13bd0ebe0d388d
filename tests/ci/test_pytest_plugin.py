"""`pytest --uqbench SUITE` in a project's own tests: scores to assert, clear words, nothing at all where not asked."""

import re
import shutil
import subprocess
import sys

import pytest
from toy_project import ROOT

from uqbench.ci.scores import SuiteScores
from uqbench.errors import UqbenchError
from uqbench.suite.plan import Cell
from uqbench.suite.record import CellPart, FailurePart, Record

pytest_plugins = "pytester"

TESTS = """
import pytest
from uqbench.errors import UqbenchError


def test_scores_have_values_and_intervals(uqbench_scores):
    cell = uqbench_scores("mine", task="forces")
    width = cell.score("width_stated", kind="forces")
    assert width.low <= width.value <= width.high
    calibrated = cell.score("coverage_95", kind="forces", variant="calibrated")
    assert calibrated.value > cell.score("coverage_95", kind="forces").value
    assert cell.record.cost["predict"]["repeats"] >= 3


@pytest.mark.parametrize(("asked", "words"), [
    ({"method": "min"}, "no method is called 'min'. Did you mean mine"),
    ({"task": "vacancy"}, "no task is called 'vacancy'.* There are: forces"),
    ({"dataset": "al"}, "no dataset is called 'al'.* copper.xyz@"),
])
def test_a_cell_that_is_not_there(uqbench_scores, asked, words):
    with pytest.raises(UqbenchError, match=words):
        uqbench_scores(**{"method": "mine", "task": "forces", **asked})


@pytest.mark.parametrize(("asked", "words"), [
    ({"name": "coverage_99"}, "no score is called 'coverage_99'. Did you mean coverage_9"),
    ({"kind": "stress"}, "no kind is called 'stress'.* There are: energy, forces"),
    ({"variant": "cal"}, "There are: calibrated, raw"),
    ({"part": "train"}, "There are: "),
])
def test_a_score_that_is_not_there(uqbench_scores, asked, words):
    cell = uqbench_scores("mine", task="forces")
    with pytest.raises(UqbenchError, match=words):
        cell.score(**{"name": "coverage_95", "kind": "forces", **asked})
"""


def made(method, seed, failed=False):
    """A record without results."""
    cell = {
        "dataset": "toy",
        "backbone": "line",
        "method": method,
        "task": "forces",
        "train_size": 1.0,
        "seed": seed,
        "device": "cpu",
    }
    return Record.model_construct(
        cell=CellPart(**cell),
        cell_id=Cell(**cell).cell_id,
        status="failed" if failed else "ok",
        failure=FailurePart(reason="it broke", traceback="") if failed else None,
    )


@pytest.fixture(name="folder")
def _folder(pytester, project, cache, monkeypatch):
    """The project with its results, and tests of its own."""
    shutil.copytree(project, pytester.path, dirs_exist_ok=True)
    monkeypatch.setenv("UQBENCH_CACHE", str(cache))
    return pytester


def test_scores_are_given_and_kept(folder):
    folder.makepyfile(TESTS)
    before = {p: p.stat().st_mtime_ns for p in (folder.path / "results" / "records").iterdir()}
    plugins = ["--uqbench-plugin", "mine.py", "--uqbench-plugin", "pairs.py"]
    done = folder.runpytest_subprocess("--uqbench", "ours.yaml", "--uqbench-out", "results", *plugins)
    done.assert_outcomes(passed=8)
    after = {p: p.stat().st_mtime_ns for p in (folder.path / "results" / "records").iterdir()}
    assert before == after


def test_without_a_suite_they_are_skipped(folder):
    folder.makepyfile(TESTS)
    done = folder.runpytest_subprocess("-rs")
    done.assert_outcomes(skipped=8)
    done.stdout.fnmatch_lines(["*pytest --uqbench SUITE*"])


def test_a_suite_that_is_not_there_is_said(folder):
    folder.makepyfile("def test_one(uqbench_scores): pass")
    done = folder.runpytest_subprocess("--uqbench", "linear-stud")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*no suite is called 'linear-stud'. Did you mean linear-study*"])


def test_a_cell_that_failed_says_why_and_two_that_answer_are_told_apart():
    scores = SuiteScores((made("pops", 0), made("pops", 1), made("broken", 0, failed=True)))
    with pytest.raises(UqbenchError, match="failed: it broke"):
        scores("broken", task="forces")
    with pytest.raises(UqbenchError, match=r"2 cells answer to that: .*Say seed too"):
        scores("pops", task="forces")
    assert scores("pops", task="forces", seed=1).record.cell.seed == 1


def test_pytest_starts_without_anything_of_ours(tmp_path):
    """The plugin is loaded in every run of every project that has uqbench installed."""
    code = (
        "import sys, pytest; pytest.main(['--collect-only', '-q', sys.argv[1]]); "
        "print('OURS', sorted(m for m in sys.modules if m.startswith('uqbench') or m in ('numpy', 'yaml', 'pydantic')))"
    )
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True
    )
    (found,) = re.findall(r"OURS (.*)", done.stdout)
    assert found == "['uqbench', 'uqbench.pytest_plugin']"


def test_the_example_of_the_page_runs(folder):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.S)
    (command,) = re.findall(r"^    pytest (.*)$", (ROOT / "docs" / "ci.md").read_text(), re.M)
    folder.makepyfile(code)
    words = [*command.split(), "--uqbench-plugin", "pairs.py", "--uqbench-out", "results"]
    folder.runpytest_subprocess(*words).assert_outcomes(passed=2)
