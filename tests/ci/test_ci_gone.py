"""Cells of the baseline that the run has no record of: which the comment misses, lists, or leaves to other suites."""

import os

import pytest
from toy_comparison import record, tables, write
from toy_project import git

from uqbench.ci.asked import asks_for
from uqbench.ci.command import Ci, run_ci
from uqbench.ci.gone import suite_before
from uqbench.registry import discover
from uqbench.suite.config import dump_suite, load_suite, override

MINE = """from dataclasses import dataclass

from uqbench.api import LinearMethod


@dataclass(frozen=True)
class Mine(LinearMethod):
    factor: float = 1.0

    def fit(self, problem, rng):
        return None
"""
GONE = "toy/line/{}/forces/train=1/seed=0/cpu"


class Project:
    """A repository whose main branch has a suite of two methods, and records of them and of another suite."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.options = {}
        (folder / "mine.py").write_text(MINE)
        self.suite("mine:factor=2", "constant")
        for method in ("mine:factor=2.0", "constant", "pops"):
            write(folder / "board" / "records", record(method), tables())
        git(folder, "init", "-q", "-b", "main")
        self.commit("base")
        git(folder, "checkout", "-q", "-b", "change")
        monkeypatch.chdir(folder)
        monkeypatch.setattr("uqbench.ci.command.run_suite", self._run)

    def suite(self, *methods, name="ours"):
        (self.folder / "ours.yaml").write_text(
            f"name: {name}\ndatasets: [toy]\nmethods: [{', '.join(methods)}]\n"
        )

    def commit(self, said):
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-q", "-m", said)

    def _run(self, suite, out, options):
        """Leave records of all that the suite asks for, of those of the base."""
        ran = override(load_suite(self.folder / suite), self.options)
        out.mkdir(exist_ok=True)
        (out / "suite.yaml").write_text(dump_suite(ran))
        registry = discover([self.folder / "mine.py"])
        for method in ("mine:factor=3.0", "mine:factor=2.0", "constant", "pops"):
            made = record(method)
            if asks_for(ran, made.cell, registry):
                write(out / "records", made, tables())
        return ""

    def ci(self, base="main:board/records"):
        out = self.folder / "out"
        code = run_ci(Ci("ours.yaml", base, out, "", "--plugin mine.py", False), {})
        return code, (out / "comment.md").read_text()


@pytest.fixture(name="project")
def _project(tmp_path, monkeypatch):
    return Project(tmp_path, monkeypatch)


@pytest.mark.parametrize("methods", [("constant",), ("mine:factor=3", "constant")], ids=["less", "changed"])
def test_a_cell_that_the_change_takes_out_of_the_suite_is_listed_and_counted(project, methods):
    project.suite(*methods)
    code, comment = project.ci()
    assert code == 0
    assert comment.splitlines()[1] == "## uqbench: no regression; 1 cell gone"
    assert f"### Gone (1)\n\n- {GONE.format('mine:factor=2.0')}\n" in comment
    assert "belong to other suites, and are not looked at: 1" in comment


def test_it_is_not_missed_where_its_record_goes_too(project):
    project.suite("constant")
    for path in (project.folder / "board" / "records").glob("*mine*"):
        path.unlink()
    project.commit("without mine")
    code, comment = project.ci()
    assert code == 0
    assert comment.splitlines()[1] == "## uqbench: no regression"
    assert "Gone" not in comment


def test_what_an_earlier_run_left_behind_does_not_stand_for_it(project):
    project.ci()
    project.suite("constant")
    _, comment = project.ci()
    assert comment.splitlines()[1] == "## uqbench: no regression; 1 cell gone"


def test_options_of_the_run_take_nothing_out_of_the_suite(project):
    project.options = {"methods": ("constant",)}
    code, comment = project.ci()
    assert (code, comment.splitlines()[1]) == (0, "## uqbench: no regression")


def test_a_suite_that_the_base_does_not_have_is_said(project):
    git(project.folder, "mv", "ours.yaml", "theirs.yaml")
    project.commit("renamed")
    git(project.folder, "branch", "-f", "main")
    project.suite("constant")
    code, comment = project.ci()
    assert (code, comment.splitlines()[1]) == (0, "## uqbench: no regression")
    assert "not looked at: 2; the base has no file of this suite" in comment


@pytest.mark.parametrize(
    ("name", "verdict"), [("ours", "no regression; 1 cell gone"), ("another", "no regression")]
)
def test_of_a_folder_the_suite_beside_it_counts_if_it_is_of_the_same_name(project, name, verdict):
    project.suite("mine:factor=2", "constant", name=name)
    (project.folder / "ours.yaml").rename(project.folder / "board" / "suite.yaml")
    project.suite("constant")
    code, comment = project.ci("board/records")
    assert (code, comment.splitlines()[1]) == (0, f"## uqbench: {verdict}")


def test_a_suite_in_a_folder_below_is_found_in_the_base(project, monkeypatch):
    """Paths of a suite are counted from here, those of records in a revision from the root of the repository."""
    (project.folder / "below").mkdir()
    project.suite("constant")
    suite = os.path.join("..", "ours.yaml")
    monkeypatch.chdir(project.folder / "below")
    before = suite_before("main:board/records", suite, load_suite(project.folder / "ours.yaml"))
    assert before is not None
    assert before.methods == ("mine:factor=2", "constant")
