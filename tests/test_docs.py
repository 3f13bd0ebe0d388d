"""The pages under docs stay true: their Python passes the checks, their commands exist, what they link to is there."""

import re
import shlex
from pathlib import Path

import pytest

from uqbench.cli import main
from uqbench.cli.parser import make_parser
from uqbench.suite.record import read_records

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMANDS = sorted(
    {c for page in PAGES for c in re.findall(r"^    uqbench (.*?)(?:  +#.*)?$", page.read_text(), re.M)}
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command):
    make_parser(None).parse_args(shlex.split(command))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (DOCS / target).exists(), target


def test_the_committee_example_is_scored(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "external.md").read_text(), re.S)
    (command,) = (c for c in COMMANDS if "committee.py" in c)
    (tmp_path / "committee.py").write_text(code)
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path / "cache"))
    words = [str(tmp_path / w) if w.startswith("committee.py") else w for w in shlex.split(command)]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    records = read_records(tmp_path / "out" / "records")
    assert [r.status for r in records] == ["ok"] * 3


def test_the_property_example_passes_the_check(tmp_path, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "properties.md").read_text(), re.S)
    (tmp_path / "bain.py").write_text(code)
    assert main(["check", "bain", "--plugin", str(tmp_path / "bain.py")]) == 0, capsys.readouterr().out


def test_the_figures_of_the_leaderboards_are_there():
    pages = sorted(DOCS.with_name("leaderboard").rglob("README.md"))
    assert len(pages) == 3
    for page in pages:
        figures = re.findall(r"\]\((figures/[^)]+)\)", page.read_text())
        assert figures
        for figure in figures:
            assert (page.parent / figure).exists(), f"{page}: {figure}"
