"""What `uqbench new` writes passes its check as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from uqbench.check.run import run_check
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.templates.write import write_template


@pytest.mark.parametrize("kind", ["method", "task"])
def test_template_passes_the_check(kind, tmp_path):
    path = write_template(kind, "my_own_2", tmp_path)
    assert path == tmp_path / "my_own_2.py"
    registry = discover([path])
    lines = []
    assert run_check(["my_own_2"], registry, lines.append) == 0
    assert not any("FAILED" in line or "refused" in line for line in lines)
    assert getattr(registry, f"{kind}s")["my_own_2"].__name__ == "MyOwn2"


def test_template_method_checks_its_parameter(tmp_path):
    registry = discover([write_template("method", "mine", tmp_path)])
    lines = []
    assert run_check(["mine:widening=-1"], registry, lines.append) == 1
    assert "mine: widening is -1.0; a positive number is needed." in lines[1]


@pytest.mark.parametrize("kind", ["method", "task"])
def test_template_is_clean_for_ruff(kind, tmp_path):
    path = write_template(kind, "mine", tmp_path)
    settings = Path(__file__).parents[2] / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        line = [sys.executable, "-m", "ruff", *command, "--config", str(settings), "--no-cache", str(path)]
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_written_over(tmp_path):
    path = write_template("method", "mine", tmp_path)
    path.write_text("precious")
    with pytest.raises(UqbenchError, match=r"mine\.py exists; nothing was written"):
        write_template("method", "mine", tmp_path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["", "2fast", "my-method", "../up", "lambda", "Mine", "a b", "_x", "mine\n"])
def test_a_name_that_is_no_identifier_is_refused(name, tmp_path):
    with pytest.raises(UqbenchError, match=r"cannot be the name of a method.*lower-case letters"):
        write_template("method", name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UqbenchError, match=r"is not a folder"):
        write_template("task", "mine", tmp_path / "nowhere")
