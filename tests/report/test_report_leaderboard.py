"""The page and its figures, as files."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_records import failed, make_record, make_table, write, write_methods

from uqbench.registry import discover
from uqbench.report.leaderboard import write_report
from uqbench.report.markdown import escape, number
from uqbench.report.styles import make_styles


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows_of(page, heading):
    """Cells of the first table below a heading."""
    lines = page.split(f"### {heading}\n")[1].split("\n### ")[0].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| rank"))
    table = [line for line in lines[first + 2 :]]
    end = next(i for i, line in enumerate([*table, ""]) if not line.startswith("|"))
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in table[:end]]


def test_page_ranks_lists_and_explains(tmp_path):
    write_methods(tmp_path / "records", constant="constant", good="true", twin="true")
    write(tmp_path / "records", "sad", failed("sad", "ran out of | pipes"), None)
    write(tmp_path / "records", "na", failed("na", "needs members", "not applicable"), None)
    page = write_report(tmp_path / "records", tmp_path).read_text()
    rows = rows_of(page, "Forces, test")
    assert {row[1] for row in rows[:4]} == {"good", "twin"}
    assert {row[0] for row in rows[:4]} == {"1", "1 ◆"}
    assert {row[1] for row in rows[4:]} == {"constant"}
    assert "3 cells scored, 1 failed, 1 not applicable, 0 problems" in page
    assert "ran out of &#124; pipes" in page
    assert "needs members" in page
    assert "GPU: no record" in page
    assert "forces 2 of 500" in page
    assert "--method constant good na sad twin --task forces --seed 0" in page


def glance_of(page):
    """The remarks at the top by their first words, and the cells of the table below them by method."""
    glance = page.split("## At a glance")[1].split("## On this page")[0]
    remarks = dict(line[4:].split("**", 1) for line in glance.splitlines() if line.startswith("- **"))
    lines = [line.strip("| ").split(" | ") for line in glance.splitlines() if line.startswith("|")]
    return remarks, {line[0]: line[1:] for line in lines[2:]}


def test_the_top_says_who_is_tight_who_holds_and_what_it_costs(tmp_path):
    """σ of one method is right, another's a tenth of it: calibrated they are equal, raw one of them holds."""
    records = tmp_path / "records"
    write_methods(records, constant="constant", good="true", lost="shuffled")
    narrow = make_table("true")
    for name, table in narrow.items():
        narrow[name] = replace(table, std=0.1 * table.std)
    write(records, "narrow", make_record("narrow", narrow), narrow)
    page = write_report(records, tmp_path).read_text()
    remarks, table = glance_of(page)
    assert remarks["Tightest"].endswith("on forces: good, narrow.")
    assert "good" in remarks["Hold what they claim"]
    assert "narrow" not in remarks["Hold what they claim"]
    assert "1.50 (constant) to 1.50 (narrow) times the bare potential, of 4 methods" in remarks["Cost"]
    assert list(table)[:2] == ["good", "narrow"]
    ranked = {r[1]: r[3].split(" ")[0] for r in rows_of(page, "Forces, test") if r[2] == "calibrated"}
    assert {name: cells[0].strip("*") for name, cells in table.items()} == ranked
    assert {name for name, cells in table.items() if cells[0].startswith("**")} == {"good", "narrow"}
    holding = {name for name, cells in table.items() if cells[1].startswith("**")}
    assert "good" in holding
    assert "narrow" not in holding


def test_the_calibrated_coverage_is_that_of_the_least_and_most_covering_method(tmp_path):
    records = tmp_path / "records"
    write_methods(records, constant="constant", good="true", lost="shuffled")
    page = write_report(records, tmp_path).read_text()
    remarks, _ = glance_of(page)
    shares = [float(row[4].split(" ")[0]) for row in rows_of(page, "Forces, test") if row[2] == "calibrated"]
    assert f"forces {min(shares):.1f} to {max(shares):.1f} % of test" in remarks["Calibrated"]


def test_comparisons_beyond_the_first_are_counted(tmp_path):
    for seed in range(8):
        for name, scheme in (("constant", "constant"), ("good", "true")):
            tables = make_table(scheme)
            write(tmp_path / "records", f"{name}{seed}", make_record(name, tables, seed=seed), tables)
    page = write_report(tmp_path / "records", tmp_path).read_text()
    assert page.split("## On this page")[0].count("\n### toy") == 6
    assert "2 more comparisons have their tables further down." in page


def test_a_fit_and_its_times_stand_in_one_table(tmp_path):
    write_methods(tmp_path / "records", constant="constant", good="true")
    page = write_report(tmp_path / "records", tmp_path).read_text()
    costs = page.split("### Time and memory")[1]
    assert "| good | 1.50 [1.40, 1.60] |" in costs
    assert page.count("1.50 [1.40, 1.60]") == 2


def test_a_hostile_name_stays_text(tmp_path):
    name = "<script>|x\n`*[a](b)"
    tables = make_table("true")
    write(tmp_path / "records", "hostile", make_record(name, tables), tables)
    write(tmp_path / "records", "sad", failed(f"{name}2", f"broke: {name}"), None)
    page = write_report(tmp_path / "records", tmp_path).read_text()
    outside = page.split("```\n")
    assert "<script" not in outside[0] + outside[2]
    rows = rows_of(page, "Forces, test")
    assert {row[1] for row in rows} == {escape(name)}
    assert {len(row) for row in rows} == {10}


def test_without_the_baseline_rows_are_sorted_by_absolute_score(tmp_path):
    write_methods(tmp_path / "records", bad="shuffled", good="true")
    page = write_report(tmp_path / "records", tmp_path).read_text()
    assert "There is no interval score of a calibrated `constant` here" in page
    assert [row[1] for row in rows_of(page, "Forces, test")][:2] == ["good", "good"]


def test_problems_are_on_the_page_and_the_rest_is_reported(tmp_path):
    records = tmp_path / "records"
    write_methods(records, constant="constant", good="true", altered="true")
    (records / "altered.npz").write_bytes(b"something else")
    page = write_report(records, tmp_path).read_text()
    assert "2 cells scored, 0 failed, 0 not applicable, 1 problems" in page
    assert "- altered.json: raw predictions altered.npz have sha256" in page
    assert {row[1] for row in rows_of(page, "Forces, test")} == {"constant", "good"}


def test_few_clusters_are_said(tmp_path):
    tables = make_table("true", n_test=9)
    write(tmp_path / "records", "good", make_record("good", tables), tables)
    page = write_report(tmp_path / "records", tmp_path).read_text()
    assert "Only 9 clusters (under 10): no intervals are drawn and no ranks given." in page
    assert not any("[" in cell for row in rows_of(page, "Forces, test") for cell in row[3:5])


def test_each_seed_has_a_section_of_its_own(tmp_path):
    tables = make_table("true")
    for seed in (0, 1):
        write(tmp_path / "records", f"good{seed}", make_record("good", tables, seed=seed), tables)
    page = write_report(tmp_path / "records", tmp_path).read_text()
    for seed in (0, 1):
        assert f"## forces · toy · line · cpu · seed {seed}\n" in page


def test_the_same_records_give_the_same_bytes(tmp_path):
    write_methods(tmp_path / "records", constant="constant", good="true")
    for name in ("first", "second"):
        write_report(tmp_path / "records", tmp_path / name)
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert first == second
    names = {name.rsplit("-", 1)[1] for name in first if name.startswith("figures/")}
    assert names == {f"{n}.svg" for n in ("calibration", "errors", "cost")}
    page = first["README.md"].decode()
    for name, content in first.items():
        if name.endswith(".svg"):
            assert f"({name})" in page
            assert content.startswith(b"<?xml")


@pytest.mark.parametrize("value", [1.0, 0.95049, 999.6, 1234.5, 9.996e-5, 0.00010004, -3.3e-9, 4.2e7, 0.0])
def test_numbers_keep_three_digits(value):
    assert float(number(value)) == pytest.approx(value, rel=5e-3)
    assert len(number(value)) <= 9


def test_styles_are_distinct_and_do_not_depend_on_the_others():
    few = make_styles(["pops", "constant"])
    many = make_styles([f"method{i}" for i in range(64)])
    assert len({s.colour for s in list(many.values())[:8]}) == 8
    assert len(set(many.values())) == 64
    assert len({(s.marker, s.line) for s in many.values()}) >= 32
    assert make_styles(["pops"])["pops"] == make_styles(["constant", "pops"])["pops"] == few["pops"]


def test_methods_that_come_along_look_alike_everywhere_and_variants_share_the_colour():
    shipped = sorted(discover().methods)
    styles = make_styles([*shipped, "pops:bounds=exact", "mine"])
    assert len(set(styles.values())) == len(styles)
    for name in shipped:
        assert make_styles([name])[name] == styles[name]
    assert styles["pops:bounds=exact"].colour == styles["pops"].colour
    assert styles["constant"].colour == "#7F7F7F"


def test_a_figure_needs_no_spread_of_sigma(tmp_path):
    """A constant σ has no panel of error against σ; alone, that figure is left out."""
    write_methods(tmp_path / "records", constant="constant")
    write_report(tmp_path / "records", tmp_path)
    assert not [n for n in contents(tmp_path) if "errors" in n]
    assert np.sum([n.endswith("cost.svg") for n in contents(tmp_path)]) == 1
