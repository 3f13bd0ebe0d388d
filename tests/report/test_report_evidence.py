"""What a report takes from records: only what follows from the raw predictions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from synthetic_records import make_record, make_table, write, write_methods

from uqbench.errors import UqbenchError
from uqbench.report.evidence import load_evidence
from uqbench.report.verify import plain_values, verified
from uqbench.scores.summary import score_table
from uqbench.suite.scoring import fit_calibrations, raw_variant


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_records_as_they_were_written_have_no_problem(tmp_path):
    write_methods(tmp_path, constant="constant", good="true")
    evidence = load_evidence(tmp_path)
    assert [r.cell.method for r in evidence.records] == ["constant", "good"]
    assert evidence.problems == []
    assert {(r.variant, r.part, r.kind) for r in evidence.rows} == {
        ("raw", "test", "forces"),
        ("calibrated", "test", "forces"),
    }


def test_sums_over_clusters_give_the_interval_score_of_the_record(tmp_path):
    write_methods(tmp_path, good="true")
    for row in load_evidence(tmp_path).rows:
        mean = row.sums.sum() / row.counts.sum()
        assert mean == pytest.approx(row.scores["interval_score_95"].value, rel=1e-12)


@pytest.mark.parametrize("std_only", [True, False])
def test_plain_values_equal_those_of_the_bootstrap_path(std_only):
    """Two implementations: definitions on the observations, and count-weighted sums over clusters."""
    variant = raw_variant(make_table("true", std_only=std_only)["forces"], "test")
    table = score_table(
        variant.observed,
        variant.mean,
        variant.cluster,
        np.random.default_rng(0),
        std=variant.std,
        intervals=variant.intervals,
        stated=variant.stated,
    )
    plain = plain_values(variant)
    assert set(table.scores) - set(plain) == {"n", "n_clusters", "miss_stated", "spearman_attainable"} & set(
        table.scores
    )
    for name, value in plain.items():
        assert value == pytest.approx(table.scores[name].value, rel=1e-10), name


@pytest.mark.parametrize(
    ("variant", "score"),
    [("raw", "crps"), ("calibrated", "coverage_95"), ("calibrated", "interval_score_95")],
)
def test_a_score_that_does_not_follow_is_a_problem_and_is_replaced(tmp_path, variant, score):
    write_methods(tmp_path, good="true")
    true = load_evidence(tmp_path).records[0].scores[variant]["test"]["forces"][score].value

    def improve(content):
        content["scores"][variant]["test"]["forces"][score]["value"] *= 1.0 - 1e-6

    edit(tmp_path / "good.json", improve)
    evidence = load_evidence(tmp_path)
    assert len(evidence.problems) == 1
    assert score in evidence.problems[0].what
    assert evidence.records[0].scores[variant]["test"]["forces"][score].value == pytest.approx(
        true, rel=1e-12
    )


def test_coverage_of_a_group_is_checked_too(tmp_path):
    write_methods(tmp_path, good="true")

    def improve(content):
        content["groups"]["raw"]["test"]["forces"]["slab"]["coverage_95"] = 0.95

    edit(tmp_path / "good.json", improve)
    assert "coverage_95 of slab" in load_evidence(tmp_path).problems[0].what


def test_a_calibration_fitted_on_something_else_is_a_problem():
    tables = make_table("true")
    record = make_record("good", tables)
    calibration = json.loads(json.dumps(record.calibration))
    calibration["forces"]["0"]["a"] *= 1.001
    moved = record.model_copy(update={"calibration": calibration})
    assert "calibration of forces, fold 0: a" in verified(moved, tables)[1][0]


def test_a_minimum_found_with_other_threads_is_no_problem(monkeypatch):
    """The fitted calibration then differs by some 1e-8, more than scores may: they follow from the stored one."""
    tables = make_table("true")
    record = make_record("good", tables)
    fit = fit_calibrations

    def elsewhere(table):
        return {fold: replace(c, a=c.a * (1.0 + 1e-8)) for fold, c in fit(table).items()}

    monkeypatch.setattr("uqbench.report.verify.fit_calibrations", elsewhere)
    assert verified(record, tables) == (record, [])


def test_scores_of_a_part_that_was_never_predicted_are_a_problem():
    tables = make_table("true")
    record = make_record("good", tables)
    scores = {**record.scores, "raw": {**record.scores["raw"], "held_out": record.scores["raw"]["test"]}}
    found, differences = verified(record.model_copy(update={"scores": scores}), tables)
    assert "held_out" in differences[0]
    assert set(found.scores["raw"]) == {"test"}


def test_altered_missing_and_repeated_records_leave_the_rest_alone(tmp_path):
    write_methods(tmp_path, altered="true", good="true", missing="true")
    tables = make_table("true")
    write(tmp_path, "other", make_record("good", tables), tables)
    (tmp_path / "altered.npz").write_bytes((tmp_path / "altered.npz").read_bytes() + b"x")
    (tmp_path / "missing.npz").unlink()
    (tmp_path / "torn.json").write_text('{"schema_version": 1,')
    evidence = load_evidence(tmp_path)
    assert [r.cell.method for r in evidence.records] == ["good"]
    said = {p.who: p.what for p in evidence.problems}
    assert set(said) == {"altered.json", "missing.json", "other.json", "torn.json"}
    assert "sha256" in said["altered.json"]
    assert "cannot be read" in said["missing.json"]
    assert "has a record already" in said["other.json"]
    assert str(tmp_path) not in "".join(said.values())


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(UqbenchError, match="holds no records"):
        load_evidence(tmp_path)
