"""Learning curves: drawn where there are several train sizes, from the numbers of the records."""

import numpy as np
import pytest
from synthetic_records import make_record, make_table, write

from uqbench.report.evidence import load_evidence
from uqbench.report.leaderboard import write_report
from uqbench.report.plot_learning import draw_learning, learning_curves
from uqbench.report.sections import make_sections
from uqbench.report.styles import make_styles

SIZES = {0.1: 10, 0.5: 50, 1.0: 100}


def write_sizes(folder, sizes, methods=("constant", "true")):
    for method in methods:
        for size, n_train in sizes.items():
            tables = make_table(method)
            record = make_record(method, tables)
            folds = [{**record.data.folds[0], "train": n_train + shift} for shift in (-1, 1)]
            record = record.model_copy(
                update={
                    "cell_id": f"{record.cell_id}/{size}",
                    "cell": record.cell.model_copy(update={"train_size": size}),
                    "data": record.data.model_copy(update={"folds": folds, "split_hash": f"split{size}"}),
                }
            )
            write(folder, f"{method}-{size}", record, tables)


def test_a_curve_goes_from_least_data_to_most_with_the_records_numbers(tmp_path):
    write_sizes(tmp_path, SIZES)
    evidence = load_evidence(tmp_path)
    (curve,) = learning_curves(make_sections(evidence.records, evidence.rows))
    assert [s.first.cell.train_size for s in curve.sections] == [0.1, 0.5, 1.0]
    figure = draw_learning(curve, ["forces"], make_styles(["constant", "true"]))
    assert figure is not None
    coverage, width, absolute = figure.axes
    scores = next(r.scores for r in evidence.rows if r.record.cell.method == "true" and r.variant == "raw")
    drawn = coverage.containers[1]
    np.testing.assert_array_equal(drawn.lines[0].get_xdata(), [10, 50, 100])
    assert drawn.lines[0].get_ydata() == pytest.approx(100.0 * np.full(3, scores["coverage_95"].value))
    low, high = (100.0 * v for v in (scores["coverage_95"].low, scores["coverage_95"].high))
    bar = drawn.lines[2][0].get_segments()[0]
    assert bar[:, 1] == pytest.approx([low, high])
    assert width.containers[1].lines[0].get_ydata() == pytest.approx(np.full(3, scores["width_95"].value))
    sigma = scores["width_95"].value * scores["rmse"].value / 3.92
    assert absolute.lines[1].get_ydata() == pytest.approx(np.full(3, sigma))
    (error,) = absolute.containers
    assert error.lines[0].get_ydata() == pytest.approx(np.full(3, scores["rmse"].value))


def test_the_page_shows_the_curve_once_and_only_where_there_is_one(tmp_path):
    write_sizes(tmp_path / "several", SIZES)
    page = write_report(tmp_path / "several", tmp_path / "out")
    assert page.read_text().count("## Learning curve: forces · toy · line · cpu") == 1
    (name,) = (p.name for p in (tmp_path / "out" / "figures").glob("*-learning.svg"))
    assert f"](figures/{name})" in page.read_text()
    write_sizes(tmp_path / "one", {1.0: 100})
    assert "Learning curve" not in write_report(tmp_path / "one", tmp_path / "out").read_text()


def test_other_data_start_another_curve(tmp_path):
    write_sizes(tmp_path, SIZES, ["constant"])
    records = load_evidence(tmp_path).records
    changed = [
        r.model_copy(update={"data": r.data.model_copy(update={"hash": "other"})}) for r in records[:2]
    ]
    assert len(learning_curves(make_sections([*records, *changed], []))) == 2
    assert len(learning_curves(make_sections([*records, *changed[:1]], []))) == 1
