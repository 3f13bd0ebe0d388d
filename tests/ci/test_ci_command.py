"""What `uqbench ci` makes of a suite that ran in part or not at all, and of names; and the suite of our own CI."""

import json
import subprocess
from pathlib import Path

import pytest
from toy_comparison import cost, failed, record, tables, write

from uqbench.ci.accepted import accept
from uqbench.ci.asked import asks_for
from uqbench.ci.command import Ci, run_ci
from uqbench.ci.job import CiJob, ci_job
from uqbench.compare.comparison import compare_sides
from uqbench.compare.page import markdown
from uqbench.compare.side import read_side
from uqbench.registry import discover
from uqbench.suite.config import Suite, dump_suite, find_suite, load_suite
from uqbench.suite.run import plan_suite

RECORDS = Path(__file__).parents[2] / "leaderboard" / "records"


@pytest.fixture(name="ran")
def _ran(tmp_path, monkeypatch):
    """Compare made-up results of a run that ended with an exit code, of a suite of two datasets.

    said: on its error stream. whole: whether it came to its end. unusable: what a plan complains of.
    """

    def run(made, code, said="", whole=True, unusable=""):
        for folder, records in ((tmp_path / "base", BASE), (tmp_path / "out" / "records", made)):
            folder.mkdir(parents=True)
            for one, raw in records:
                write(folder, one, raw)
        (tmp_path / "out" / "suite.yaml").write_text("left by another run")

        def ends(command, **_):
            if "--dry-run" in command:
                return subprocess.CompletedProcess(command, 1 if unusable else 0, stderr=unusable)
            if whole:
                (tmp_path / "out" / "suite.yaml").write_text(dump_suite(SUITE))
            return subprocess.CompletedProcess(command, code, stderr=said)

        monkeypatch.setattr("uqbench.ci.suite_run.subprocess.run", ends)
        asked = Ci("ours.yaml", str(tmp_path / "base"), tmp_path / "out", "", "", False)
        return run_ci(asked, {}), (tmp_path / "out" / "comment.md").read_text()

    return run


def failing(dataset):
    one = failed("broken")
    cell = one.cell.model_copy(update={"dataset": dataset})
    return one.model_copy(update={"cell": cell, "cell_id": one.cell_id.replace("toy/", f"{dataset}/", 1)})


SUITE = Suite(datasets=("toy", "other"))
BASE = [(record(), tables()), (record(dataset="other"), tables(seed=2)), (failing("toy"), None)]


def test_a_cell_that_fails_as_it_did_is_no_regression(ran):
    code, comment = ran(BASE, 1)
    assert code == 0
    assert "did not run whole" not in comment


UNUSABLE = "other: frame 2: cannot be read (`x`)"


@pytest.mark.parametrize("kept", [[0], [0, 2]], ids=["alone", "beside a failure that is known"])
def test_a_dataset_that_is_gone_is_no_pass_and_the_comment_begins_with_its_reason(
    ran, kept, tmp_path, capsys
):
    code, comment = ran([BASE[k] for k in kept], 1, unusable=f"{UNUSABLE}\n")
    assert code == 2
    assert comment.splitlines()[1].startswith("## uqbench: the suite did not run whole; no regression")
    assert comment.splitlines()[3] == "other: frame 2: cannot be read (&#96;x&#96;)"
    assert UNUSABLE in capsys.readouterr().out
    comparison = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert (comparison["exit_code"], comparison["not_whole"]) == (2, UNUSABLE)


def test_a_regression_is_one_though_the_suite_did_not_run_whole(ran):
    code, comment = ran([(record(), tables(widened=1.5))], 1, unusable=UNUSABLE)
    assert code == 1
    assert "## uqbench: the suite did not run whole; 1 regression" in comment


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (2, "uqbench: a: no\nb: neither\n", "a: no b: neither"),
        (1, "Traceback\nKeyError: 'x'\n", "KeyError: 'x'"),
        (0, "", "exit code 0"),
    ],
    ids=["asked in vain", "a crash", "a plan alone"],
)
def test_a_run_that_does_not_come_to_its_end_is_no_pass(ran, code, said, reason):
    """Records and suite of another run may lie in the folder of results."""
    code, comment = ran(BASE, code, said, whole=False)
    assert code == 2
    assert comment.splitlines()[1].startswith("## uqbench: the suite did not run whole; ")
    assert reason in comment.splitlines()[3]


def test_a_crash_after_the_cells_is_no_pass(ran):
    code, comment = ran(BASE[:2], 1, "KeyError: 'x'")
    assert code == 2
    assert comment.splitlines()[3] == "KeyError: 'x'"


def test_where_nothing_ran_the_comment_says_why_and_nothing_else(ran, capsys):
    code, comment = ran([], 2, "uqbench: there is no suite `none`.\n", whole=False)
    assert code == 2
    assert comment.splitlines()[1] == "## uqbench: the suite did not run whole"
    assert "there is no suite &#96;none&#96;." in comment
    assert "holds no records" not in comment
    assert "there is no suite `none`." in capsys.readouterr().out


@pytest.mark.parametrize("base", ["mian:uqbench-records", "{folder}"], ids=["misspelt", "no records"])
def test_a_base_that_cannot_be_read_is_said_before_anything_is_run(base, tmp_path, monkeypatch):
    monkeypatch.setattr("uqbench.ci.command.run_suite", lambda *a: pytest.fail("it was run"))
    asked = Ci("ours.yaml", base.format(folder=tmp_path), tmp_path / "out", "", "", False)
    assert run_ci(asked, {}) == 2
    comment = (tmp_path / "out" / "comment.md").read_text()
    assert comment.splitlines()[1] == "## uqbench: could not be compared"
    assert "The suite was not run." in comment
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "comment.md",
        "comparison.json",
        "history.jsonl",
    }


def test_a_cell_that_the_suite_asks_for_and_that_is_gone_is_a_regression(ran):
    """The run says that all went well."""
    code, comment = ran(BASE[1:], 0)
    assert code == 1
    assert "the suite asks for it, and the run left no record" in comment


ASKED = Suite(datasets=("al", "data/mine.xyz"), methods=("pops:percentile=1", "theirs"), tasks=("forces",))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"method": "pops:percentile=1.0"}, True),
        ({"method": "theirs"}, True),
        ({"method": "theirs", "dataset": "mine.xyz@0123abcd"}, True),
        ({"method": "pops"}, False),
        ({"method": "theirs", "dataset": "w"}, False),
        ({"method": "theirs", "seed": 1}, False),
        ({"method": "theirs", "task": "vacancy"}, False),
        ({"method": "theirs", "train_size": 0.5}, False),
    ],
)
def test_what_a_suite_asks_for(fields, asked):
    cell = record().cell.model_copy(update={"dataset": "al", **fields})
    assert asks_for(ASKED, cell, discover()) is asked
    assert asks_for(Suite(datasets=("al",)), cell, discover()) is (
        cell.dataset == "al" and cell.seed == 0 and cell.train_size == 1.0
    )


@pytest.fixture(name="accepted")
def _accepted(tmp_path):
    """What is left of a comparison of base and new where the change commits head; sides as lists of (record, raw)."""

    def run(**sides):
        read = {}
        for name, made in sides.items():
            (tmp_path / name).mkdir()
            for one, raw in made:
                write(tmp_path / name, one, raw, scored=True)
            read[name] = read_side(tmp_path / name)
        return accept(compare_sides(read["base"], read["new"]), **read)

    return run


def test_a_regression_that_is_committed_as_it_is_is_accepted_and_listed(accepted):
    wide = (record(), tables(widened=1.5))
    found = accepted(base=[(record(), tables())], head=[wide], new=[wide])
    assert (found.exit_code, found.worse) == (0, [])
    assert "width of stated bounds (forces, test): 0." in found.accepted[0]
    assert "1 accepted by this change" in markdown(found, "a", "b").partition("\n")[0]


def test_a_regression_beyond_what_is_committed_is_not(accepted):
    found = accepted(
        base=[(record(), tables())],
        head=[(record(), tables(widened=1.5))],
        new=[(record(), tables(widened=1.5 * (1 + 1e-7)))],
    )
    assert (found.exit_code, found.accepted) == (1, ())


def test_a_baseline_that_the_change_leaves_alone_accepts_nothing(accepted):
    base = [(record(), tables()), (record("other"), tables())]
    new = [(record(), tables(widened=1.5)), (record("other"), tables(widened=1.5))]
    found = accepted(base=base, head=[base[0], new[1]], new=new)
    assert found.exit_code == 1
    assert {f.where.split("/")[2] for f in found.worse} == {"pops"}


def test_another_dataset_that_is_committed_is_accepted(accepted):
    other = (record(data={"hash": "other"}), tables(seed=4))
    found = accepted(base=[(record(), tables())], head=[other], new=[other])
    assert (found.exit_code, found.incomparable) == (0, ())
    assert "the dataset changed" in found.accepted[0]


@pytest.mark.parametrize(("committed", "code"), [(2.3, 0), (1.5, 1)])
def test_a_slowdown_is_accepted_up_to_the_time_that_is_committed(accepted, committed, code):
    def side(ratio, note=""):
        return [(record(content_key=note, cost=cost(ratio)), tables())]

    found = accepted(base=side(1.5), head=side(committed, "head"), new=side(2.25))
    assert found.exit_code == code


def test_a_committed_failure_is_still_one(accepted):
    broken = (failed("pops"), None)
    assert accepted(base=[(record(), tables())], head=[broken], new=[broken]).exit_code == 1


def test_a_fault_while_comparing_is_no_verdict(ran, monkeypatch):
    monkeypatch.setattr("uqbench.ci.command.compare_records", lambda *a: {}["x"])
    code, comment = ran(BASE, 0)
    assert code == 2
    assert "KeyError" in comment


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
