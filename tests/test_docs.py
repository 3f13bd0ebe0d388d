"""The pages under docs stay true: their Python passes the checks, their commands exist, what they link to is there."""

import hashlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ase.calculators.emt import EMT

from tools import network_tables
from uqbench.api import PropertyTask
from uqbench.cli import main
from uqbench.cli.parser import make_parser
from uqbench.data.card import read_card
from uqbench.data.material import material_of
from uqbench.registry import discover
from uqbench.suite.record import read_records

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMANDS = sorted(
    {c for page in PAGES for c in re.findall(r"^    uqbench (.*?)(?:  +#.*)?$", page.read_text(), re.M)}
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command):
    make_parser(None).parse_args(shlex.split(command))


def test_tables_of_networks_are_those_of_the_committed_records():
    records, page = network_tables.read(), (DOCS / "networks.md").read_text()
    for line in [*network_tables.accuracy(records), *network_tables.simulation_results(records)]:
        assert line in page, f"python -m tools.network_tables gives another line: {line}"


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


def test_the_method_example_is_checked_and_scored_as_the_page_says(tmp_path, monkeypatch, capsys):
    page = (DOCS / "your-method.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    plugin = tmp_path / "sandwich.py"
    plugin.write_text(code)
    assert main(["check", "sandwich", "--plugin", str(plugin)]) == 0
    assert capsys.readouterr().out in page
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path / "cache"))
    command = ["run", "--method", "sandwich", "--plugin", str(plugin), "--task", "forces", "--device", "cpu"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    (record,) = read_records(tmp_path / "out" / "records")
    (row,) = re.findall(r"^ sandwich +raw .*$", page, re.M)
    score = record.scores["raw"]["test"]["forces"]
    assert f"{100 * score['coverage_95'].value:.1f} (" in row
    assert f" {score['width_95'].value:.3f} " in row


def test_the_task_example_passes_the_check(tmp_path, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "your-task.md").read_text(), re.S)
    (tmp_path / "compressed.py").write_text(code)
    plugin = str(tmp_path / "compressed.py")
    assert main(["check", "compressed", "--plugin", plugin]) == 0, capsys.readouterr().out


def test_the_data_example_is_read_as_the_page_says_and_its_card_is_valid(tmp_path, monkeypatch, capsys):
    page = (DOCS / "your-data.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    card, properties = re.findall(r"```yaml\n(.*?)```", page, re.S)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", code], check=True)
    assert main(["data", "check", "train.xyz"]) == 0
    assert capsys.readouterr().out in page
    content = Path("train.xyz").read_bytes()
    card = card.replace("SHA256", hashlib.sha256(content).hexdigest()).replace("BYTES", str(len(content)))
    Path("my_copper.yaml").write_text(card)
    assert read_card(Path("my_copper.yaml")).held_out == ("compressed",)
    assert main(["data", "check", "my_copper.yaml"]) == 0
    said = capsys.readouterr().out
    assert "compressed 18 (held out)" in said
    assert "clusters: 30" in said
    assert main(["data", "check", "train.xyz", "--cluster-key", "run"]) == 0
    assert "clusters: 30" in capsys.readouterr().out
    Path("my_copper.yaml").write_text(card + properties)
    assert main(["data", "check", "my_copper.yaml"]) == 0
    assert capsys.readouterr().out == said
    _the_values_are_those_of_emt(read_card(Path("my_copper.yaml")))


def _the_values_are_those_of_emt(card):
    """What the tasks measure of the potential that made the labels."""
    material = material_of(card, card.name)
    found = {}
    for name in ("elastic", "vacancy"):
        task = discover().find("tasks", name)
        assert issubclass(task, PropertyTask)
        for quantity in task().quantities(material):
            found |= quantity.measure(EMT())
    for item in card.properties:
        assert found[item.name] == pytest.approx(item.value, abs=item.error_estimate or 0.05), item.name


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    pytest.importorskip("mkdocs", reason="needs mkdocs")
    pytest.importorskip("material", reason="needs mkdocs-material")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        build, cwd=DOCS.parent, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


def test_the_site_has_all_pages(site):
    for page in PAGES:
        assert (site / page.stem / "index.html").is_file(), page
    for name, cls in discover().methods.items():
        html = (site / "methods" / name / "index.html").read_text()
        assert "<strong>Cost</strong>" in html, name
        assert cls.__name__ in html
    assert "Two commands" in (site / "index.html").read_text()
    assert "<table" in (site / "repository" / "leaderboard" / "index.html").read_text().split("<summary")[1]


def test_links_and_figures_of_the_site_are_there_and_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        html = page.read_text()
        assert not re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="?(?:https?:)?//[^" >]+', html), page
        if page.name == "404.html":
            continue
        for target in re.findall(r'(?:href|src)="?([^"#? >]+)', html):
            if not target.startswith(("http", "mailto:", "data:", "javascript:")):
                there = page.parent / target
                assert there.is_file() or (there / "index.html").is_file(), f"{page}: {target}"


def test_the_figures_of_the_leaderboards_are_there():
    pages = sorted(DOCS.with_name("leaderboard").rglob("README.md"))
    assert len(pages) > 1
    for page in pages:
        figures = re.findall(r"\]\((figures/[^)]+)\)", page.read_text())
        assert figures
        for figure in figures:
            assert (page.parent / figure).exists(), f"{page}: {figure}"
