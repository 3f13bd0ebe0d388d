"""The top of the page: widths beside hits, what cannot be told apart, and pages without the baseline."""

import doctest
from dataclasses import replace

import numpy as np
import pytest
from property_records import nothing, part, property_record, scaled
from synthetic_records import N_CALIBRATION, make_record, make_table, write, write_methods

from uqbench.report import overview_simulations
from uqbench.report.leaderboard import write_report
from uqbench.report.markdown import number
from uqbench.report.overview_simulations import Tally, most_inside, tallies
from uqbench.report.property_results import section_results
from uqbench.report.sections import make_sections
from uqbench.suite.raw import PARTS


def glance_of(folder):
    """The top of the page made of the records below the folder, with plain spaces."""
    page = write_report(folder / "records", folder).read_text().replace("\u00a0", " ")
    return page.split("## At a glance")[1].split("## On this page")[0]


def bullets(glance):
    """The bullets by their first words."""
    return dict(line[4:].split("**", 1) for line in glance.splitlines() if line.startswith("- **"))


def first_table(glance):
    """Cells by method, the header by "method"."""
    lines = [line.strip("| ").split(" | ") for line in glance.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in lines}


def test_a_tally_counts_hits_and_answers_and_takes_the_median_width_of_answers():
    """Bounds 94.2 to 109.8: one reference inside, one outside, one without an answer, one that is not there."""
    inside, outside = part("C11", 100.0), part("C12", 200.0)
    gone, bare = nothing(part("C44", 30.0), "unstable"), part("surface_energy", None)
    (section,) = make_sections([property_record("m", [inside, outside, gone, bare])], [])
    found = tallies(section_results(section, "pool"))
    width = inside.upper - inside.lower
    assert found["m", "raw"] == Tally(1, 2, 3, pytest.approx(0.5 * (width / 100.0 + width / 200.0)))
    assert found["m", "kappa"] == Tally(0, 0, 3, None)


def test_where_nothing_is_inside_nobody_is_named():
    assert most_inside({"m": Tally(0, 3, 3, 0.1), "n": Tally(0, 0, 2, None)}) == (
        "no reference of 3 lies inside stated bounds"
    )


def test_docstring_examples_run():
    assert doctest.testmod(overview_simulations).failed == 0


def test_the_widest_bounds_do_not_win_by_width(tmp_path):
    """Both hold all; the narrower is named, and each has its width in the table."""
    write_methods(tmp_path / "records", constant="constant", wide="true", narrow="true")
    for method, sigma in (("wide", 40.0), ("narrow", 4.0)):
        found = part(reference=100.0, value=102.0, sigma=sigma)
        record = property_record(method, [found, scaled(found, 2.0)])
        write(tmp_path / "records", f"{method}-elastic", record, None)
    glance = glance_of(tmp_path)
    width = 2 * 1.959964 * 4.0
    assert bullets(glance)["Simulation results"] == (
        ": most references inside the stated bounds, 1 of 1; narrowest of those that hold most: narrow, median width "
        f"{number(width)} %."
    )
    table = first_table(glance)
    assert table["method"][2:4] == ["simulations inside; width: raw", "simulations inside; width: κ"]
    assert table["narrow"][2:4] == [f"1 of 1; {number(width)} %", f"1 of 1; {number(2 * width)} %"]
    assert table["wide"][2] == f"1 of 1; {number(10 * width)} %"
    assert table["constant"][2:4] == ["–", "–"]
    assert "**Simulations inside; width**: references inside the stated bounds" in glance


def test_where_the_baseline_itself_is_first_no_tightness_is_bold(tmp_path):
    write_methods(tmp_path / "records", constant="constant", twin="constant")
    glance = glance_of(tmp_path)
    said = "the first cannot be told from one error bar for all"
    assert f"On forces (60 clusters) {said}, so that no tightness is bold.\n" in glance
    assert bullets(glance)["Tightest"].endswith(f"on forces: {said}.")
    assert {cells[0] for name, cells in first_table(glance).items() if name in ("constant", "twin")} == {
        "1.00"
    }


def test_few_held_out_clusters_cannot_tell_what_many_test_clusters_can(tmp_path):
    """True error bars against one for all: 68 clusters of test tell them apart, 12 that are held out do not."""
    for method, scheme in {"constant": "constant", "good": "true"}.items():
        tables = make_table(scheme, n_test=80)
        forces = tables["forces"]
        held_out = forces.structure >= N_CALIBRATION + 68
        tables["forces"] = replace(forces, part=np.where(held_out, PARTS.index("held_out"), forces.part))
        write(tmp_path / "records", method, make_record(method, tables), tables)
    main, folded = glance_of(tmp_path).split("<details>")
    assert first_table(main)["good"][0].startswith("**")
    assert "cannot be told" not in main
    good = first_table(folded)["good"][0]
    assert float(good) < 1.0
    assert "On held-out forces (12 clusters) the first cannot be told from one error bar for all" in folded


def test_where_the_first_can_be_told_from_the_baseline_nothing_is_said(tmp_path):
    write_methods(tmp_path / "records", constant="constant", good="true")
    glance = glance_of(tmp_path)
    assert "cannot be told" not in glance
    assert first_table(glance)["good"][0].startswith("**")


def test_a_committee_of_the_users_own_has_absolute_scores(tmp_path):
    """One method, nothing to compare it with: its scores with their unit, what it holds, its cost, and nothing bold
    for being first."""
    tables = make_table("true")
    record = make_record("external", tables)
    write(tmp_path / "records", "external", record, tables)
    glance = glance_of(tmp_path)
    table = first_table(glance)
    scores = {v: record.scores[v]["test"]["forces"]["interval_score_95"].value for v in ("raw", "calibrated")}
    assert table["method"] == [
        "forces: interval score (eV/Å), raw / calibrated",
        "forces: hold (claim) %",
        "cost / bare; fit",
    ]
    assert table["external"][0] == f"{number(scores['raw'])} / {number(scores['calibrated'])}"
    assert table["external"][2].startswith("1.50; ")
    found = bullets(glance)
    assert "Tightest" not in found
    assert found["Hold what they claim"].endswith("external.")
    assert found["Cost"].endswith("1.50 (external) times the bare potential.")
    assert "**Interval score**: width of the 95 % interval" in glance
    assert "**Tightness**" not in glance


def test_without_the_baseline_the_better_of_two_is_first(tmp_path):
    write_methods(tmp_path / "records", bad="shuffled", good="true")
    glance = glance_of(tmp_path)
    assert bullets(glance)["Tightest"].endswith("on forces: good.")
    table = first_table(glance)
    assert list(table)[2:] == ["good", "bad"]
    assert table["good"][0].endswith("**")
    assert "**" not in table["bad"][0]


@pytest.mark.parametrize("methods", [{"external": "true"}, {"constant": "constant", "good": "true"}])
def test_under_ten_clusters_nothing_is_bold_and_nothing_summed_up(tmp_path, methods):
    for method, scheme in methods.items():
        tables = make_table(scheme, n_test=9, std_only=False)
        write(tmp_path / "records", method, make_record(method, tables), tables)
    glance = glance_of(tmp_path)
    assert bullets(glance) == {}
    table = first_table(glance)
    assert set(methods) < set(table)
    assert not any("**" in cell for cells in table.values() for cell in cells)
    assert (
        "On forces (9 clusters) there are no intervals, for fewer than 10 clusters say too little: nothing is bold and "
        "nothing summed up.\n" in glance
    )
