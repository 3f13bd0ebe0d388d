"""The page and the JSON: worse first, short, safe in markdown, and complete where the page is not."""

import json

import pytest
from toy_comparison import failed, record, tables, write

from uqbench.cli import main
from uqbench.compare.comparison import compare_sides
from uqbench.compare.findings import Change, judge
from uqbench.compare.page import ROWS, as_json, markdown
from uqbench.compare.side import read_side


@pytest.fixture(name="found")
def _found(tmp_path):
    """One method worse by a little, one by a lot, one failed, one better."""
    changes = {"little": 1.15, "lot": 1.6, "better": 0.8}
    for name in ("base", "new"):
        (tmp_path / name).mkdir()
        for k, (method, factor) in enumerate(changes.items()):
            write(tmp_path / name, record(method), tables(factor if name == "new" else 1.0, seed=k))
    write(tmp_path / "base", record("gone|bad"), tables())
    write(tmp_path / "new", failed("gone|bad", reason="<script>`x`\n| pipe"))
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
    return Change("cell", "what", "", 1.0, 2.0, change, 0.5, 1.5, p, 0.05, True)


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
