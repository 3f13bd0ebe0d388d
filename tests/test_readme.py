"""The README stays true: its Python is run, its commands exist, its files are there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from uqbench.cli import main
from uqbench.cli.parser import make_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
COMMANDS = re.findall(r"^    uqbench (.*?)(?:  +#.*)?$", README, re.M)


def test_the_predictions_example_is_scored(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", PYTHON[0]], check=True)
    assert main(["score", "predictions.npz"]) == 0
    assert "coverage_95" in capsys.readouterr().out


def test_the_method_example_passes_the_check(tmp_path, capsys):
    (tmp_path / "doubled.py").write_text(PYTHON[1])
    assert main(["check", "doubled", "--plugin", str(tmp_path / "doubled.py")]) == 0, capsys.readouterr().out


def test_the_template_commands_work_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (c for c in COMMANDS if c.startswith(("new", "check"))):
        assert main(shlex.split(command)) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command):
    make_parser(None).parse_args(shlex.split(command))


def test_what_it_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_methods_it_names_are_all_that_there_are():
    named = set(re.findall(r"`(\w+)`", README.split("## What is in it")[1].split("## Your own data")[0]))
    assert {p.stem for p in (ROOT / "methods").glob("[!_]*.py")} <= named
