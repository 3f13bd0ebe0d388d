"""The steps of the action, run as the action runs them on a toy project, with a service's variables made up."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from toy_project import ARGUMENTS, ROOT, executable, git, run_suite, write_method

pytestmark = pytest.mark.skipif(
    not (shutil.which("git") and shutil.which("bash")), reason="needs git and bash"
)

GH = '''#!{python}
"""gh as far as it is used here: comments in a file, those of bots chosen by how they begin."""
import json, os, sys
from pathlib import Path
arguments = sys.argv[1:]
assert arguments[0] == "api"
if os.environ.get("FORBIDDEN"):
    sys.exit("HTTP 403: Resource not accessible by integration")
store = Path(os.environ["COMMENTS"])
comments = json.loads(store.read_text())
if "--jq" in arguments:
    assert 'select(.user.type == "Bot" and (.body | startswith(env.MARKER)))' in arguments[-1]
    chosen = [c for c in comments if c["type"] == "Bot" and c["body"].startswith(os.environ["MARKER"])]
    print("".join(f"{{c['id']}}\\n" for c in chosen), end="")
else:
    method = arguments[arguments.index("--method") + 1]
    body = Path(arguments[arguments.index("--field") + 1].removeprefix("body=@")).read_text()
    where = arguments[arguments.index("--method") + 2]
    if method == "POST":
        assert where == "repos/us/toy/issues/7/comments"
        comments.append({{"id": 100 + len(comments), "type": "Bot", "body": body}})
    else:
        assert where.startswith("repos/us/toy/issues/comments/")
        next(c for c in comments if c["id"] == int(where.rpartition("/")[2]))["body"] = body
    store.write_text(json.dumps(comments))
'''
COMMIT = "4f2a91c07be8d3f15a6e2b9c80d7431fe5a6b204"


class Runner:
    """A clone of the project, and what a service puts around a step."""

    def __init__(self, folder, work, cache):
        self.work, self.temp = work, folder
        self.files = {name: folder / name for name in ("summary", "output")}
        for file in self.files.values():
            file.touch()
        executable(folder / "bin" / "gh", GH.format(python=sys.executable))
        self.environment = {
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(work),
            "GITHUB_STEP_SUMMARY": str(self.files["summary"]),
            "GITHUB_OUTPUT": str(self.files["output"]),
            "GITHUB_SHA": COMMIT,
            "GITHUB_REF_NAME": "main",
            "GITHUB_SERVER_URL": "https://example.org",
            "GITHUB_REPOSITORY": "us/toy",
            "GITHUB_RUN_ID": "12",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "UQBENCH_CACHE": str(cache),
        }

    def step(self, script, **given):
        return subprocess.run(
            ["bash", str(ROOT / "ci" / script)],
            env={**self.environment, **given},
            cwd=self.temp,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def compare(self, **given):
        """The step that runs and compares: its outputs and the comment."""
        asked = {
            "SUITE": "ours.yaml",
            "NAME": "",
            "DATASET": "",
            "ARGUMENTS": ARGUMENTS,
            "SCORES_ONLY": "true",
            "RECORDS": "board/records",
            "BASE": "main",
            "OUT": str(self.temp / "out"),
        }
        done = self.step("run.sh", **{**asked, **given})
        assert done.returncode == 0, done.stdout + done.stderr
        lines = self.files["output"].read_text().split()
        return dict(line.split("=", 1) for line in lines), (self.temp / "out" / "comment.md").read_text()


@pytest.fixture(name="runner")
def _runner(project, tmp_path, cache):
    """A clone, of depth one as services make it, of a repository whose main branch has records."""
    upstream = tmp_path / "upstream"
    shutil.copytree(project, upstream, ignore=shutil.ignore_patterns("results"))
    shutil.copytree(project / "results" / "records", upstream / "board" / "records")
    git(upstream, "init", "-q", "-b", "main")
    git(upstream, "add", ".")
    git(upstream, "commit", "-q", "-m", "records")
    git(upstream, "checkout", "-q", "--detach")
    git(tmp_path, "clone", "-q", "--depth=1", "-b", "main", upstream.as_uri(), "work")
    return Runner(tmp_path, tmp_path / "work", cache)


def test_an_unchanged_method_is_no_regression(runner):
    outputs, comment = runner.compare()
    assert outputs == {"exit-code": "0", "name": "ours"}
    assert comment.startswith("<!-- uqbench: ours -->\n## uqbench: no regression\n")
    assert f"origin/main:board/records → ours {COMMIT[:8]}: 1 cell on both sides, 1 with the same" in comment
    assert "https://example.org/us/toy/actions/runs/12" in comment
    assert runner.files["summary"].read_text() == comment
    out = runner.temp / "out"
    assert json.loads((out / "comparison.json").read_text())["exit_code"] == 0
    assert list((out / "figures").iterdir())
    (line,) = map(json.loads, (out / "history.jsonl").read_text().splitlines())
    assert (line["commit"], line["exit_code"], line["verdict"]) == (COMMIT, 0, "no regression")
    (cell,) = line["cells"].values()
    assert cell["forces"]["width_stated"] > 0


def test_wider_bounds_are_a_regression_that_the_comment_names(runner):
    write_method(runner.work, 1.2)
    outputs, comment = runner.compare(NAME="ours, on $(touch /tmp) Linux")
    assert outputs["exit-code"] == "1"
    assert outputs["name"] == "ours-on-touch-tmp-Linux"
    assert "## uqbench: 2 regressions" in comment
    assert "width of stated bounds (forces, test)" in comment
    assert "×1.20" in comment


def test_wider_bounds_that_the_change_commits_as_its_baseline_are_accepted(runner, cache):
    """The base branch has the old records until the change is merged; the check must not stay red until then."""
    write_method(runner.work, 1.2)
    run_suite(runner.work, cache, "results")
    for path in (runner.work / "results" / "records").iterdir():
        shutil.copy(path, runner.work / "board" / "records")
    outputs, comment = runner.compare()
    assert outputs["exit-code"] == "1"
    git(runner.work, "add", "board", "mine.py")
    git(runner.work, "commit", "-q", "-m", "wider, on purpose")
    outputs, comment = runner.compare()
    assert outputs["exit-code"] == "0"
    assert "## uqbench: no regression; 2 accepted by this change" in comment
    assert "width of stated bounds (forces, test)" in comment


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"BASE": "no-such-branch"}, "Fetch the revision first"),
        ({"SUITE": "none.yaml"}, "the suite did not run whole\n\norigin/main:board/records → none"),
        ({"SUITE": "none.yaml"}, "none.yaml cannot be read"),
        ({"ARGUMENTS": "--plugin 'mine.py"}, "uqbench did not run"),
    ],
)
def test_what_cannot_be_compared_is_said_and_is_no_pass(runner, given, words):
    # Without a fit, so that it is quick.
    outputs, comment = runner.compare(**{"ARGUMENTS": f"{ARGUMENTS} --dry-run", **given})
    assert outputs["exit-code"] == "2"
    assert words in comment
    assert comment.startswith("<!-- uqbench: ")


def test_a_dataset_that_cannot_be_read_is_named_in_the_comment(runner):
    copper = runner.work / "copper.xyz"
    lines = copper.read_text().splitlines(keepends=True)
    copper.write_text("".join([*lines[:8], "Cu 0.0 zero 0.0\n", *lines[9:]]))
    outputs, comment = runner.compare()
    assert outputs == {"exit-code": "2", "name": "ours"}
    assert comment.startswith("<!-- uqbench: ours -->\n## uqbench: the suite did not run whole\n")
    assert "copper.xyz, frame 1: cannot be read" in comment.splitlines()[3]
    assert "No such file" not in comment
    assert {"comment.md", "comparison.json", "history.jsonl"} <= {
        p.name for p in (runner.temp / "out").iterdir()
    }


def test_a_crash_does_not_pass_for_a_regression(runner):
    """Python ends with 1 after any exception, and so does a comparison that finds something."""
    executable(runner.temp / "bin" / "python", "#!/bin/sh\nexit 1\n")
    outputs, comment = runner.compare(NAME="a b\nexit-code=0")
    assert outputs == {"exit-code": "2", "name": "a-b-exit-code-0"}
    assert "uqbench did not run" in comment


@pytest.fixture(name="comments")
def _comments(runner):
    """Comments on a pull request, the first by a person who quotes the marker."""
    store = runner.temp / "comments.json"
    store.write_text(json.dumps([{"id": 1, "type": "User", "body": "<!-- uqbench: ours -->\nhm"}]))
    comment = runner.temp / "comment.md"

    def post(text, **given):
        comment.write_text(text)
        done = runner.step("comment.sh", COMMENT=str(comment), PULL_REQUEST="7", COMMENTS=str(store), **given)
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(store.read_text())

    return post


def test_one_comment_a_name_is_posted_and_then_updated(comments):
    comments("<!-- uqbench: ours -->\nfirst")
    comments("<!-- uqbench: other -->\nof another suite")
    _, found = comments("<!-- uqbench: ours -->\nsecond")
    assert [c["body"].splitlines()[-1] for c in found] == ["hm", "second", "of another suite"]


def test_a_token_that_may_only_read_is_a_warning(comments):
    said, found = comments("<!-- uqbench: ours -->\nfirst", FORBIDDEN="1")
    assert said.startswith("::warning::")
    assert len(found) == 1


def test_the_history_grows_by_a_line_a_run_and_loses_none(runner):
    """Also where another job pushed in between: nothing is forced."""
    line = runner.temp / "line.jsonl"
    for number in range(3):
        line.write_text(f'{{"run": {number}}}\n')
        done = runner.step("history.sh", LINE=str(line), BRANCH="uqbench-history")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    upstream = runner.temp / "upstream"
    kept = git(upstream, "show", "uqbench-history:history.jsonl").splitlines()
    assert [json.loads(k)["run"] for k in kept] == [0, 1, 2]
    assert git(upstream, "ls-tree", "--name-only", "uqbench-history").split() == ["history.jsonl"]
    assert git(upstream, "rev-list", "--count", "uqbench-history").strip() == "3"
    assert git(runner.work, "status", "--porcelain") == ""


def test_a_history_that_cannot_be_written_is_a_warning_and_keeps_what_is_there(runner):
    line = runner.temp / "line.jsonl"
    line.write_text("{}\n")
    runner.step("history.sh", LINE=str(line), BRANCH="uqbench-history")
    executable(runner.temp / "upstream" / ".git" / "hooks" / "pre-receive", "#!/bin/sh\nexit 1\n")
    done = runner.step("history.sh", LINE=str(line), BRANCH="uqbench-history")
    assert done.returncode == 0
    assert done.stdout.startswith("::warning::")
    assert git(runner.temp / "upstream", "show", "uqbench-history:history.jsonl") == "{}\n"


def test_pip_sees_all_that_is_asked_for_at_once(runner):
    said = runner.temp / "pip"
    executable(runner.temp / "bin" / "python", f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    asked = {"EXTRAS": "snap,mace", "INSTALL": "-e . -c constraints.txt $(touch harm)"}
    done = runner.step("install.sh", **asked)
    assert done.returncode == 0, done.stderr
    words = said.read_text().split("\n")
    assert words[4:9] == [f"{ROOT}[snap,mace]", "-e", ".", "-c", "constraints.txt"]
    assert not (runner.temp / "harm").exists()
