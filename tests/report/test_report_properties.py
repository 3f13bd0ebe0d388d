"""Simulation results on the page and in the terminal: what is inside, what is missing, what is not scored."""

import io

import pytest
from property_records import nothing, part, property_record, scaled
from rich.console import Console
from synthetic_records import write, write_methods

from uqbench.report.leaderboard import write_report
from uqbench.report.property_numbers import decimals, fixed, reference_text
from uqbench.report.property_results import Result, section_results, trainings
from uqbench.report.sections import make_sections
from uqbench.report.terminal import summary_tables
from uqbench.suite.record import FailurePart


def page_of(tmp_path, *records):
    for number, record in enumerate(records):
        write(tmp_path / "records", f"{number:04d}", record, None)
    return write_report(tmp_path / "records", tmp_path).read_text()


def cells(page, first):
    """Rows, as lists of cells, of the first table whose header starts with these words."""
    lines = page.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return rows
        rows.append([c.strip() for c in line.strip("|").split(" | ")])
    return rows


def result(of, **record):
    return Result(property_record("m", [of], **record), of.variant, of, of, "")


# With σ = 4 and the value 102 the bounds are 94.16 and 109.84.
@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "inside"),
        ({"reference": 110.0}, "outside"),
        ({"reference": 94.1}, "outside"),
        ({"reference": None}, "not scored"),
        ({"lower": 102.0, "upper": 102.0}, "no answer"),
        ({"counts": {"samples": 100, "unstable": 5, "not converged": 0}}, "inside"),
        ({"counts": {"samples": 100, "unstable": 3, "not converged": 3}}, "no answer"),
        ({"counts": {"samples": 0}}, "inside"),
    ],
)
def test_verdicts(changes, verdict):
    found = result(part(**changes))
    assert found.verdict(found.stated) == verdict


def test_a_reference_is_inside_bounds_widened_by_its_own_error():
    found = result(part(reference=110.5))
    assert found.verdict(found.stated) == "outside"
    assert found.verdict(found.stated, 1.0) == "inside"
    assert found.error_over_width == pytest.approx(8.5 / (2 * 1.96 * 4), rel=1e-3)


def test_what_a_method_does_not_say_is_a_result_without_a_part():
    c11, c12 = part("C11"), part("C12", 50.0, 51.0)
    records = [
        property_record("full", [c11, c12, scaled(c11, 2.0), scaled(c12, 2.0)]),
        property_record("half", [c11.model_copy(update={"reasons": ["κ cannot be had"]})]),
        property_record("sad", None),
        property_record("declines", None, status="not applicable"),
    ]
    (section,) = make_sections(records, [])
    assert trainings(section) == ["pool"]
    found = {(r.method, r.variant, r.like.name): r for r in section_results(section, "pool")}
    assert len(found) == 3 * 2 * 2
    assert "declines" not in {method for method, *_ in found}
    assert found["half", "kappa", "C11"].why == "κ cannot be had"
    assert "toy: no" in found["sad", "raw", "C12"].why
    assert not found["half", "raw", "C12"].answered
    assert found["full", "kappa", "C12"].answered


def test_the_page_shows_bounds_hits_fates_and_reasons(tmp_path):
    c11 = part("C11", 115.0, 102.0)
    c12 = part("C12", 50.0, 51.0, protocol_known=False, nominal=1.0, exact=(30.0, 70.0), corners=(20.0, 80.0))
    a = part("lattice_constant", 4.0414, 4.0346, 0.0032, unit="Å", reference_error=4.8e-05)
    surface = part("surface_energy", None, 0.9, 0.05, unit="J/m²", reference_error=None, protocol_known=False)
    gone = nothing(part("C44", 30.0, 31.0), "C44 does not exist | for the mean")
    raw = [c11, c12, a, surface, gone]
    good = property_record("good", [*raw, *(scaled(p, 2.0) for p in raw[:-1])])
    page = page_of(tmp_path, good, property_record("sad", None))
    rows = cells(page, "property: reference | method")
    assert len(rows) == 10
    assert rows[0] == [
        *["**C11** (GPa): 115.0 ± 1", "good", "102.0", "[94.2, 109.8] ✗", "95 %", "0.829"],
        *["2.00", "[86.3, 117.7] ✓", "0.415"],
    ]
    assert rows[1][:2] == ["", "sad"]
    assert rows[1][3] == rows[1][7] == "no answer"
    assert rows[2][0] == "**C12** (GPa): 50.0 ± 1 ‡"
    assert rows[2][4] == "all (envelope)"
    assert rows[4][0] == "**lattice constant** (Å): 4.0414 ± 0.00005"
    assert rows[4][3].startswith("[4.0283, 4.0409]")
    assert rows[6][0].endswith(": –")
    assert rows[6][3].endswith("not scored")
    assert rows[6][7].endswith("not scored")
    assert rows[8][2:4] == ["–", "no answer"]
    assert (
        "- good: hits 1 of 4 raw, 3 of 4 κ; 95 % intervals 1 of 4 raw, 3 of 4 κ; no answer: 1 raw, 1 κ"
        in page
    )
    assert "- sad: hits 0 of 4 raw" in page
    assert "‡ The card does not say fully" in page
    fates = cells(page, "method | posterior | properties")
    assert fates[0][3:] == ["implicit differentiation", "100", "90", "10", "0", "0", "5.00", "0.100"]
    assert "| [30.0, 70.0] | [20.0, 80.0] |" in page
    assert "C44 does not exist &#124; for the mean" in page
    assert "the cell failed: toy: no" in page
    assert "**simulation results** come from" in page


def test_extrapolations_have_a_table_of_their_own(tmp_path):
    within = part()
    beyond = part(value=120.0, trained_on="pool without <strained>")
    page = page_of(tmp_path, property_record("good", [beyond, within]))
    assert page.index("### Trained on the pool\n") < page.index(
        "### Trained on the pool without &#60;strained&#62;"
    )
    assert page.count("- good: hits") == 2
    assert "<strained" not in page
    assert {p.name for p in (tmp_path / "figures").glob("*.svg")} == {
        name.split("(figures/")[1].split(")")[0] for name in page.splitlines() if name.startswith("![")
    }
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 2


def test_the_same_records_give_the_same_bytes(tmp_path):
    raw = [part(), part("vacancy_formation_energy_unrelaxed_at_reference_a", 0.7, 0.8, 0.1, unit="eV")]
    wild = part(value=104.0, sigma=400.0)
    methods = {"good": raw, "wild": [wild], "gone": [nothing(p) for p in raw]}
    for number, (method, parts) in enumerate(methods.items()):
        write(tmp_path / "records", str(number), property_record(method, parts), None)
    found = []
    for name in ("first", "second"):
        write_report(tmp_path / "records", tmp_path / name)
        files = (p for p in (tmp_path / name).rglob("*") if p.is_file())
        found.append({p.relative_to(tmp_path / name): p.read_bytes() for p in files})
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_beside_a_task_of_labels_both_kinds_of_sections_stand(tmp_path):
    write_methods(tmp_path / "records", constant="constant", good="true")
    page = page_of(tmp_path, property_record("good", [part()]))
    assert "### Forces, test" in page
    assert "### Trained on the pool" in page
    assert "3 cells scored, 0 failed, 0 not applicable, 0 problems" in page


def test_a_hostile_name_stays_text(tmp_path):
    name = "<script>|x`*[a](b)$"
    of = part(name, unit="<b>", route="<i>|", reasons=["<u>|"], rule="<s>")
    page = page_of(tmp_path, property_record(name, [of]))
    text = "".join(page.split("```\n")[::2])
    assert not any(tag in text for tag in ("<script", "<b>", "<i>", "<u>", "<s>"))
    assert {len(row) for row in cells(page, "property: reference | method")} == {9}


@pytest.mark.parametrize(
    ("value", "sigma", "digits"),
    [(4.03, 0.0017, 4), (89.6, 1.7, 1), (0.8, 0.017, 3), (115.0, 30.0, 0), (0.8, 0.0, 3)],
)
def test_decimals_follow_the_width_of_bounds(value, sigma, digits):
    assert decimals([result(part(reference=value, value=value, sigma=sigma))]) == digits


def test_numbers_of_extreme_size_stay_short():
    tiny = part(reference=1.0, value=1.0, sigma=1e-12)
    assert decimals([result(tiny)]) == 5
    assert fixed(-0.0001, 2) == "0.00"
    assert fixed(3.2e9, 2) == "3.20e+09"
    assert fixed(float("inf"), 2) == "–"
    assert reference_text(part(reference_error=None), 1) == "100.0 ± ?"
    assert reference_text(part(reference_error=0.0), 1) == "100.0 ± 0"
    assert reference_text(part(reference_error=1e-12), 1) == "100.0 ± 1e-12"


def printed(records, width):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for table in summary_tables(records):
        console.print(table)
    return console.file.getvalue()


def test_the_terminal_shows_each_property_within_100_columns():
    raw = [
        part("C11", 115.0, 102.0),
        part("vacancy_formation_energy_unrelaxed_at_reference_a", 0.7, 0.8, 0.1, unit="eV"),
    ]
    records = [
        property_record("pops:bounds=exact,percentile=1.0", [*raw, *(scaled(p, 2.0) for p in raw)]),
        property_record("[red]x", [nothing(p) for p in raw]),
        property_record("declines", None, status="not applicable"),
    ]
    text = printed(records, 100)
    assert max(map(len, text.splitlines())) <= 100
    assert "C11 (GPa): 115.0 ± 1" in text
    lines = [line.split() for line in text.splitlines()]
    row = next(line for line in lines if line and line[0].startswith("pops:"))
    assert row[1:] == ["102.0", "[94.2,", "109.8]", "✗", "[86.3,", "117.7]", "✓"]
    assert ["[red]x", "no", "answer", "no", "answer"] in lines
    assert "declines" not in text
    assert "raw: value [low, high]" in text


def test_a_task_that_all_methods_decline_has_its_reason_and_no_table(tmp_path):
    failure = FailurePart(reason="not cubic", traceback="")
    record = property_record("m", None, status="not applicable", failure=failure)
    page = page_of(tmp_path, record)
    assert "not cubic" in page
    assert "Trained on" not in page
    assert summary_tables([record]) == []
