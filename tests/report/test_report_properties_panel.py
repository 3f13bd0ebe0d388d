"""Panels of materials: who belongs to one, what is printed once and what apart, and whether coverage comes out."""

import doctest
import importlib
import io

import numpy as np
import pytest
from property_records import nothing, part, property_record, scaled
from rich.console import Console

from uqbench.report.leaderboard import write_report
from uqbench.report.markdown import number, percent
from uqbench.report.property_panel import family_of, make_panels, panel_of
from uqbench.report.sections import make_sections
from uqbench.report.terminal import summary_tables
from uqbench.suite.bundle import write_bundle
from uqbench.suite.record import FailurePart

PROPERTIES = ("C11", "C12", "vacancy_formation_energy")


def family(n, name="analytic_{:03d}", sigma_factors=None, seed=0, missing=0.0, **changes):
    """A record a method and material; errors are Gaussian and their σ is what honest methods say."""
    rng = np.random.default_rng(seed)
    records = []
    for method, factor in (sigma_factors or {"honest": 1.0, "narrow": 0.3}).items():
        for material in range(n):
            parts = []
            for place, named in enumerate(PROPERTIES):
                reference, sigma = 100.0 + 10.0 * place, 5.0 * np.exp(rng.normal(0.0, 0.3))
                value = reference + sigma * rng.standard_normal()
                found = part(named, reference, value, factor * sigma, reference_error=0.1, **changes)
                parts += (
                    [nothing(found, "unstable")] if rng.random() < missing else [found, scaled(found, 2.0)]
                )
            records.append(property_record(method, parts, dataset=name.format(material)))
    return records


def panels_of(records):
    return make_panels(make_sections(records, []))


def page_of(tmp_path, records):
    (tmp_path / "records").mkdir(exist_ok=True)
    write_bundle(records, tmp_path / "records" / "all.jsonl.xz")
    return write_report(tmp_path / "records", tmp_path).read_text()


def test_families_are_told_by_name():
    assert family_of("analytic_004") == "analytic"
    assert family_of("zuo2020_cu") == family_of("analytic_x") == family_of("al_2") == "all materials"


def test_an_honest_method_covers_what_it_says_and_a_narrow_one_does_not():
    (panel,) = panels_of(family(60, seed=4))
    scores = {(s.method, s.variant): s.table.scores for s in panel.standings}
    honest = scores["honest", "raw"]["coverage_95"]
    assert honest.low <= 0.95 <= honest.high
    assert honest.value == pytest.approx(0.95, abs=0.04)
    # Φ(0.588) - Φ(-0.588) at 0.3 σ, Φ(1.176) - Φ(-1.176) with κ = 2.
    assert scores["narrow", "raw"]["coverage_95"].value == pytest.approx(0.443, abs=0.1)
    assert scores["narrow", "kappa"]["coverage_95"].value == pytest.approx(0.760, abs=0.1)
    assert {s.kappas for s in panel.standings if s.variant == "raw"} == {(1.0,) * 60}


def test_results_that_are_missing_are_counted():
    """One cell failed, one property does not exist, one method has no κ: all are no answer."""
    records = family(12, sigma_factors={"honest": 1.0})
    first, second = records[0], records[1]
    lone = [p for p in second.properties if p.variant == "raw"]
    records[1] = second.model_copy(update={"properties": [nothing(lone[0], "no"), *lone[1:]]})
    other = family(12, sigma_factors={"other": 1.0}, seed=1)
    failed = property_record("other", None, dataset=first.cell.dataset)
    (panel,) = panels_of([*records, failed, *other[1:]])
    counts = {
        (s.method, s.variant): (s.table.scores["n_answers"].value, s.table.scores["n"].value)
        for s in panel.standings
    }
    assert counts == {
        ("honest", "raw"): (35, 36),
        ("honest", "kappa"): (33, 36),
        ("other", "raw"): (33, 36),
        ("other", "kappa"): (33, 36),
    }


def test_arrays_of_a_panel_keep_the_order_of_results():
    (panel,) = panels_of(family(3, sigma_factors={"honest": 1.0}))
    own = [r for r in panel.results if r.variant == "raw"]
    arrays = panel_of(own)
    assert list(arrays.value) == [r.part.value for r in own]
    assert list(arrays.material) == [r.record.cell.dataset for r in own]
    low, high = arrays.intervals[0.9]
    assert list(zip(low, high, strict=True)) == [r.part.levels["0.9"] for r in own]


def test_ten_materials_of_a_family_are_summarised_only(tmp_path):
    extra = property_record("honest", [part()], dataset="al")
    page = page_of(tmp_path, [*family(10), extra])
    assert "## properties · analytic · line · cpu\n" in page
    assert "## elastic · al · line · cpu\n" in page
    assert "· analytic_003 ·" not in page
    assert page.count("](figures/") == 2
    assert "10 materials (analytic_000" in page
    # One command for all ten, one for the other.
    commands = [line for line in page.splitlines() if line.startswith("python -m uqbench run")]
    assert len(commands) == 2
    assert "analytic_000 analytic_001" in "".join(commands)
    svg = next((tmp_path / "figures").glob("properties-analytic-*-coverage.svg"))
    assert svg.name in page


def test_the_top_names_who_covers_and_the_narrowest_of_these(tmp_path):
    page = page_of(tmp_path, family(60, seed=4))
    glance = page.split("## On this page")[0]
    assert "**Hold 95 %** of 60 materials' references: honest (raw), honest (κ).\n" in glance
    assert "- **Narrowest** of these: honest (raw), " in glance
    (panel,) = panels_of(family(60, seed=4))
    scores = {(s.method, s.variant): s.table.scores for s in panel.standings}
    lines = {line.split(" | ")[0]: line for line in glance.splitlines() if line.startswith("| ")}
    narrow = lines["| narrow"].split(" | ")
    assert narrow[1] == percent(scores["narrow", "raw"]["coverage_95"].value)
    assert narrow[4] == number(100.0 * scores["narrow", "kappa"]["width_over_reference"].value)


def test_nine_are_listed_and_their_hits_are_counted(tmp_path):
    records = family(9, sigma_factors={"honest": 0.6})
    page = page_of(tmp_path, records)
    assert page.count("### Trained on the pool\n") == 9
    assert "Fewer than 10 materials: hits are counted and no interval is given." in page
    raw = [p for r in records for p in r.properties if p.variant == "raw"]
    inside = sum(p.lower <= p.reference <= p.upper for p in raw)
    line = next(line for line in page.splitlines() if line.startswith("| honest | raw | – | "))
    assert f"| {inside} of 27 |" in line
    assert line.count("[") == 0


def test_the_top_of_few_materials_has_hits_beside_widths_and_the_cost_of_a_sample(tmp_path):
    """Two methods hold all, and the narrower is named; a third has no answer."""
    records = family(9, sigma_factors={"wide": 30.0, "honest": 10.0, "gone": 1.0})
    parts = {method: [] for method in ("wide", "honest", "gone")}
    for place, record in enumerate(records):
        method = record.cell.method
        parts[method] += record.properties
        if method == "gone":
            lost = [nothing(p, "unstable") for p in record.properties]
            records[place] = record.model_copy(update={"properties": lost})
    glance = page_of(tmp_path, records).split("## On this page")[0].replace("\u00a0", " ")

    def width(method, variant):
        own = [p for p in parts[method] if p.variant == variant]
        return f"{number(100.0 * np.median([(p.upper - p.lower) / p.reference for p in own]))} %"

    assert (
        "**Simulation results** of 9 materials: most references inside the stated bounds, 27 of 27; narrowest of "
        f"those that hold most: honest (raw), median width {width('honest', 'raw')}.\n" in glance
    )
    rows = (line.strip("| ").split(" | ") for line in glance.splitlines() if line.startswith("|"))
    by_method = {method: cells for method, *cells in rows}
    for method in ("wide", "honest"):
        inside = [f"27 of 27; {width(method, variant)}" for variant in ("raw", "kappa")]
        # 5 s for 100 samples, half a second for a real computation.
        assert by_method[method] == [*inside, "0.100"]
    assert by_method["gone"][:2] == ["no answer", "no answer"]
    assert "**Inside; width**: references inside the stated bounds" in glance


def test_real_materials_keep_their_sections_beside_their_panel(tmp_path):
    page = page_of(tmp_path, family(10, name="metal{}", sigma_factors={"honest": 1.0}))
    assert "## properties · all materials · line · cpu\n" in page
    assert page.count("### Trained on the pool\n") == 10
    (panel,) = panels_of(family(21, name="metal{}", sigma_factors={"honest": 1.0}))
    assert panel.replaces_sections


def test_extrapolations_are_a_panel_of_their_own():
    groups = [
        property_record("m", [part(), part(trained_on=f"pool without {group}")], dataset=f"metal{i}")
        for i, group in enumerate(("Strain", "strained", "Strain"))
    ]
    within, beyond = panels_of(groups)
    assert (within.extrapolation, beyond.extrapolation) == (False, True)
    assert len(beyond.names) == 3
    assert {r.like.trained_on for r in within.results} == {"pool"}
    assert {r.like.trained_on for r in beyond.results} == {"pool without Strain", "pool without strained"}
    assert within.slug != beyond.slug


def test_no_panel_without_references_or_of_one_material():
    assert panels_of([property_record("m", [part()], dataset="al")]) == []
    bare = [property_record("m", [part(reference=None)], dataset=f"metal{i}") for i in range(12)]
    assert panels_of(bare) == []


def test_failures_that_are_alike_are_one_line(tmp_path):
    refused = [
        property_record(
            "constant",
            None,
            dataset=f"analytic_{i:03d}",
            status="not applicable",
            failure=FailurePart(reason=f"analytic_{i:03d}: it has no coefficients", traceback=""),
        )
        for i in range(12)
    ]
    page = page_of(tmp_path, [*family(12), *refused])
    assert "| 12 cells: analytic_000 … analytic_011/line/constant/elastic | not applicable |" in page
    assert page.count("it has no coefficients") == 1
    assert "Not applicable to constant" in page


def test_a_panel_where_nothing_is_answered_has_no_figure_and_says_so(tmp_path):
    page = page_of(tmp_path, family(10, sigma_factors={"sad": 1.0}, missing=1.1))
    assert "| sad | raw | 0 of 30 |" in page
    assert "references: none." in page
    assert "figures/" not in page


def test_the_terminal_prints_a_panel_in_place_of_its_materials():
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in summary_tables(family(12)):
        console.print(table)
    text = console.file.getvalue()
    assert "properties · analytic · line · cpu: 12 materials" in text
    assert "analytic_003" not in text
    assert "36/36" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", ["property_numbers", "property_panel", "markdown"])
def test_docstring_examples_run(name):
    assert doctest.testmod(importlib.import_module(f"uqbench.report.{name}")).failed == 0
