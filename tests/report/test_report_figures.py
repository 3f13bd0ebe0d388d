"""What figures hold: the front and its names, a panel a method, the reference as a point."""

import numpy as np
import pytest
from property_records import part, property_record, scaled
from synthetic_records import FAST, make_record, make_table, write

from uqbench.report.evidence import load_evidence
from uqbench.report.plot_calibration import draw_calibration
from uqbench.report.plot_cost import draw_cost
from uqbench.report.property_plot import draw_bounds
from uqbench.report.property_results import section_results
from uqbench.report.sections import make_sections
from uqbench.report.styles import figure_name, make_styles
from uqbench.scores.reliability import curve_levels

METHODS = {"constant": ("constant", 1.2), "good": ("true", 2.0), "lost": ("shuffled", 3.0)}


@pytest.fixture(name="ranking")
def _ranking(tmp_path):
    """Three methods; the cheapest is not the sharpest, and the dearest is neither."""
    for method, (scheme, cost) in METHODS.items():
        tables = make_table(scheme)
        predict = {"ratio_to_bare": cost, "ratio_quartiles": [0.9 * cost, 1.1 * cost]}
        record = make_record(method, tables, cost={**FAST, "predict": predict})
        write(tmp_path, method, record, tables)
    evidence = load_evidence(tmp_path)
    (section,) = make_sections(evidence.records, evidence.rows)
    return section.rankings["forces", "test"]


def shown(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


def test_what_lies_beyond_the_front_is_beaten_and_those_on_it_are_named(ranking):
    figure = draw_cost({"forces": ranking.standings}, make_styles(METHODS))
    (axis,) = shown(figure)
    (text,) = [t.get_text() for t in axis.texts]
    on_it = {s.row.record.cell.method for s in ranking.standings if s.pareto}
    assert on_it == {"constant", "good"}
    assert set(text.removeprefix("On the front: ").split(", ")) == on_it
    (front,) = [line for line in axis.lines if line.get_linestyle() == "--"]
    x, y = front.get_data()
    assert y[0] == axis.get_ylim()[1]
    assert x[-1] == axis.get_xlim()[1]
    for s in ranking.standings:
        cost, score = s.row.record.cost["predict"]["ratio_to_bare"], s.relative.value
        beaten = [y[k] <= score for k in range(1, len(x) - 1) if x[k] <= cost]
        assert any(beaten)


def test_every_method_has_a_panel_with_its_curves_raw_and_calibrated(ranking):
    figure = draw_calibration({"forces": ranking.standings}, make_styles(METHODS))
    panels = {axis.get_title(): axis for axis in shown(figure)}
    assert set(panels) == set(METHODS)
    raw = next(
        s.row for s in ranking.standings if s.row.variant == "raw" and s.row.record.cell.method == "good"
    )
    drawn = [line.get_ydata() for line in panels["good"].lines[1:]]
    assert len(drawn) == 2
    assert any(np.allclose(100.0 * raw.curves.shares, y) for y in drawn)
    assert np.allclose(panels["good"].lines[1].get_xdata(), 100.0 * curve_levels())


def test_the_reference_is_a_point_above_the_bars():
    c11 = part("C11", 115.0, 102.0)
    (section,) = make_sections([property_record("good", [c11, scaled(c11, 2.0)])], [])
    (axis,) = shown(draw_bounds(section_results(section, "pool"), make_styles(["good"])))
    points = [line for line in axis.lines if line.get_marker() == "D"]
    assert [line.get_xdata()[0] for line in points] == [115.0]


def test_a_long_name_is_whole_and_one_without_end_is_cut():
    assert figure_name("committee_subset:of=features,share=0.8").replace("\n", "").replace(" ", "") == (
        "committee_subset:of=features,share=0.8"
    )
    assert len(figure_name("x" * 500)) < 40
    assert figure_name("a$b") == r"a\$b"
