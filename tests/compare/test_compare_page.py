"""The page and the JSON: worse first, short, safe in markdown, and complete where the page is not."""

import json
import math

import pytest
from toy_comparison import failed, record, tables, write

from uqbench.cli import main
from uqbench.compare.comparison import compare_sides
from uqbench.compare.findings import Change, factor, judge
from uqbench.compare.page import ROWS, as_json, markdown, safe
from uqbench.compare.side import read_side


@pytest.fixture(name="found")
def _found(tmp_path):
    """One method worse by a little, one by a lot, one failed, one better."""
    changes = {"little": (1.0, 1.15), "lot": (1.0, 1.6), "better": (1.5, 1.2)}
    for name in ("base", "new"):
        (tmp_path / name).mkdir()
        for k, (method, factors) in enumerate(changes.items()):
            write(tmp_path / name, record(method), tables(factors[name == "new"], seed=k))
    write(tmp_path / "base", record("gone|bad"), tables())
    write(tmp_path / "new", failed("gone|bad", reason="<script>`x`\n| pipe for @you"))
    return compare_sides(read_side(tmp_path / "base"), read_side(tmp_path / "new")), tmp_path


def test_what_is_worse_comes_first_and_the_worst_first_of_all(found):
    page = markdown(found[0], "base", "new")
    failure, lot, little, better = (page.index(f"toy/line/{m}") for m in ("gone", "lot", "little", "better"))
    assert failure < lot < little < better
    assert page.index("### Worse") < page.index("### Better")


def test_every_line_says_why_and_the_rule_is_stated(found):
    page = markdown(found[0], "base", "new")
    rows = [line for line in page.splitlines() if line.startswith("| toy")]
    assert all(len(line.split(" | ")) == 5 for line in rows)
    assert "×1.60 (99 % interval ×1.60 to ×1.60); tolerance ×1.05; p =" in page
    assert "Holm" in page
    assert "1 %" in page


def test_text_of_others_stays_in_its_cell(found):
    page = markdown(found[0], "base", "new")
    assert "<script>" not in page
    assert "gone|bad" not in page
    assert "@you" not in page


def test_only_an_at_that_calls_is_parted_from_its_name():
    assert safe("`@you`, copper.xyz@934ad1a1 @") == "&#96;@\u200byou&#96;, copper.xyz@934ad1a1 @"


def test_what_holds_under_the_level_is_said(found):
    assert "Memory and simulation results have tolerances and no test" in markdown(found[0], "base", "new")


def test_gone_cells_stand_in_the_headline(found):
    comparison = type(found[0])((), (), 1, gone=("a", "b"))
    assert markdown(comparison, "x", "y").startswith("## uqbench: no regression; 2 cells gone\n")


def test_a_remedy_is_whole_and_names_its_file_once(tmp_path, capsys):
    for name in ("base", "new"):
        (tmp_path / name).mkdir()
        for method in ("a", "b" * 90):
            write(tmp_path / name, record(method), tables())
    path = next((tmp_path / "base").glob("*bbb*.json"))
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 0'))
    assert main(["compare", str(tmp_path / "base"), str(tmp_path / "new")]) == 2
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "schema_version is 0" in one]
    assert line.count(path.name) == 1
    assert line.endswith("or compare with the uqbench that wrote it.")
    assert str(tmp_path) not in line


def test_results_that_stay_away_are_listed_only_for_another_reason(tmp_path):
    for name, reason in (("base", "not linear"), ("new", "not linear"), ("third", "no bounds")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, record("a"), tables())
        write(tmp_path / name, failed("b", "not applicable", reason))
    base, new, third = (read_side(tmp_path / name) for name in ("base", "new", "third"))
    page = markdown(compare_sides(base, new), "base", "new")
    assert "1 without a result on either" in page
    assert "not linear" not in page
    assert "no bounds (before: not applicable: not linear)" in markdown(compare_sides(base, third), "b", "t")


@pytest.mark.parametrize(
    ("ratio", "said"), [(1.2, "×1.20"), (1e9, "×1.00e+09"), (0.000123456, "×0.000123"), (12.34, "×12.3")]
)
def test_ratios_have_three_digits(ratio, said):
    assert factor(math.log(ratio)) == said


def test_a_fault_is_no_verdict(tmp_path, capsys, monkeypatch):
    """Python itself ends with 1, which would be a regression."""
    for name in ("base", "new"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, record("a"), tables())
    monkeypatch.setattr("uqbench.compare.command.compare_sides", lambda *a: 1 / 0)
    assert main(["compare", str(tmp_path / "base"), str(tmp_path / "new")]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_many_findings_are_cut_and_counted(found):
    many = type(found[0])(**{**vars(found[0]), "findings": found[0].findings * 30})
    page = markdown(many, "base", "new")
    worse = [f for f in many.findings if f.worse]
    assert f"… and {len(worse) - ROWS} more" in page
    assert len(as_json(many, "base", "new")["findings"]) == len(many.findings)


def test_the_json_is_plain_and_has_every_test(found):
    comparison, folder = found
    code = main(["compare", str(folder / "base"), str(folder / "new"), "--json", str(folder / "found.json")])
    content = json.loads((folder / "found.json").read_text(), parse_constant=pytest.fail)
    assert content["exit_code"] == code == 1
    assert len(content["tests"]) == len(comparison.judged)
    assert content["findings"][0]["size"] is None
    assert {"cell", "what"} & set(content["findings"][0]) == {"what"}


def made(p, change=1.0):
    return Change("cell", "what", "", 1.0, 2.0, change, 0.5, 1.5, p, 0.05)


def test_holm_is_over_all_tests():
    """p of 0.004 alone is below 0.005; among three it is not, unless smaller ones fall first."""
    assert [j.counts for j in judge([made(0.004)], 0.005)] == [True]
    assert [j.counts for j in judge([made(0.004), made(0.5), made(0.9)], 0.005)] == [False] * 3
    assert [j.counts for j in judge([made(0.001), made(0.002), made(0.004)], 0.005)] == [True] * 3


def test_a_sure_change_within_the_tolerance_does_not_count():
    assert [j.counts for j in judge([made(1e-9, change=c) for c in (0.04, -0.04, 0.06, -0.06)], 0.01)] == [
        False,
        False,
        True,
        True,
    ]
