"""The action and the examples of docs/ci.md are valid, and nothing of a user's is pasted into shell text."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from toy_project import ROOT

from uqbench.cli.parser import make_parser

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.S)
WORKFLOW, GITLAB = EXAMPLES


def validate(schema, path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("github-actions", (ROOT / "action.yml").read_text()),
        ("github-workflows", WORKFLOW),
        ("gitlab-ci", GITLAB),
    ],
)
def test_it_obeys_the_schema(tmp_path, schema, text):
    (tmp_path / "file.yml").write_text(text)
    done = validate(schema, tmp_path / "file.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_does_refuse(tmp_path):
    (tmp_path / "file.yml").write_text(
        (ROOT / "action.yml").read_text().replace("using: composite", "using: x")
    )
    assert validate("github-actions", tmp_path / "file.yml").returncode != 0


def test_no_expression_is_pasted_into_a_shell():
    for step in STEPS:
        assert "${{" not in step.get("run", ""), step["name"]
    workflow = yaml.safe_load(WORKFLOW)
    for job in workflow["jobs"].values():
        assert not any("${{" in step.get("run", "") for step in job["steps"])


def test_every_input_is_used_and_every_one_used_is_declared():
    used = set(re.findall(r"inputs\.([a-z-]+)", str(STEPS)))
    assert used == set(ACTION["inputs"])


def test_outputs_that_are_used_are_written():
    used = set(re.findall(r"steps\.run\.outputs\.([a-z-]+)", str(ACTION)))
    script = (ROOT / "ci" / "run.sh").read_text()
    assert used == {"exit-code", "name"}
    assert all(f"{name}=" in script for name in used)


@pytest.mark.parametrize("step", [s for s in STEPS if "run" in s], ids=lambda s: s["name"])
def test_a_step_gives_its_script_what_that_reads(step):
    """Capital names of a script come from the step's env, from the service, or from the script itself."""
    scripts = re.findall(r"ci/\w+\.sh", step["run"])
    text = "\n".join([step["run"], *((ROOT / s).read_text() for s in scripts)])
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text))
    made = set(re.findall(r"^([A-Z_]+)=", text, re.M)) | set(re.findall(r"([A-Z_]+)=\"", text))
    assert {n for n in read if not n.startswith("GITHUB_")} - made <= set(step["env"])


def test_other_actions_are_pinned_by_version():
    used = [s["uses"] for s in STEPS if "uses" in s]
    for job in yaml.safe_load(WORKFLOW)["jobs"].values():
        used += [s["uses"] for s in job["steps"] if "uses" in s]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", u) for u in used), used


def test_the_workflow_gives_inputs_that_there_are():
    jobs = yaml.safe_load(WORKFLOW)["jobs"].values()
    given = [s["with"] for job in jobs for s in job["steps"] if "/uqbench@" in s.get("uses", "")]
    assert given
    assert all(set(g) <= set(ACTION["inputs"]) for g in given)


def test_commands_of_the_gitlab_example_are_understood():
    script = yaml.safe_load(GITLAB)["uqbench"]["script"]
    commands = [line for line in script if line.startswith("python -m uqbench")]
    assert commands
    for command in commands:
        make_parser(None).parse_args(shlex.split(command)[3:])
