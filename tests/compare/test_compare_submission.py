"""check-records: records that are what they say, and each way in which they may not be."""

import json
from dataclasses import replace

import numpy as np
import pytest
from toy_comparison import failed, record, tables, vacancy, write

from uqbench.api import Prediction, Table
from uqbench.cli import main
from uqbench.compare.submission import check_records
from uqbench.data.catalog import load_card
from uqbench.data.dataset import load_dataset
from uqbench.data.split import make_split
from uqbench.suite.raw import PARTS, Evaluated, collect
from uqbench.suite.scoring import fit_calibrations, score_tables


@pytest.fixture(name="folder")
def _folder(tmp_path):
    """A sound record of forces, one of a property, and a failure."""
    write(tmp_path, record("pops"), tables(), scored=True)
    write(tmp_path, record("pops", "vacancy", properties=[vacancy()]))
    write(tmp_path, failed("broken"))
    return tmp_path


def edit(folder, change):
    path = next(folder.glob("*__pops__forces*.json"))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def said(folder, capsys):
    code = main(["check-records", str(folder)])
    return code, capsys.readouterr().out


def test_records_as_they_were_written_are_right_and_their_unknown_data_is_said(folder, capsys):
    code, out = said(folder, capsys)
    assert code == 0
    assert "3 records, 0 wrong; scores of 1 computed again to 1e-09." in out
    assert "not checked: hash, split and labels of dataset toy: it is in no catalogue here" in out


@pytest.mark.parametrize(
    ("variant", "score", "entry"),
    [
        ("raw", "coverage_95", "value"),
        ("calibrated", "interval_score_95", "value"),
        ("calibrated", "interval_score_95", "low"),
        ("raw", "miss_stated", "value"),
        ("raw", "n_clusters", "value"),
        ("calibrated", "spearman_attainable", "value"),
    ],
)
def test_a_score_off_by_a_billionth_or_two_is_found(folder, capsys, variant, score, entry):
    """Values, their intervals, and those that the quick check of a report leaves alone."""

    def improve(content):
        content["scores"][variant]["test"]["forces"][score][entry] *= 1.0 - 3e-9

    edit(folder, improve)
    code, out = said(folder, capsys)
    assert code == 1
    assert score in out


def test_a_score_off_by_less_is_rounding(folder, capsys):
    def nudge(content):
        content["scores"]["calibrated"]["test"]["forces"]["interval_score_95"]["value"] *= 1.0 + 1e-11

    edit(folder, nudge)
    assert said(folder, capsys)[0] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["calibration"]["forces"]["0"].update(a=0.5), "scores.calibrated"),
        (lambda c: c["groups"]["raw"]["test"]["forces"]["bulk"].update(rmse=0.0), "rmse"),
        (lambda c: c["scores"]["raw"]["test"]["forces"].pop("crps"), "crps"),
        (lambda c: c["scores"]["raw"]["test"]["forces"].update(mine={"value": 1, "low": 0, "high": 2}), "mine"),
        (lambda c: c.update(raw=None), "neither raw predictions nor properties"),
        (lambda c: c.update(schema_version=0), "schema_version is 0"),
        (lambda c: c.update(status="failed"), "failure does not say why"),
        (lambda c: c.update(cell_id="al/snap/mine/forces/train=1/seed=0/cpu"), "but cell says"),
        (lambda c: c["raw"].update(sha256="0" * 64), "altered"),
        (lambda c: c["raw"].update(file="missing.npz"), "cannot be read"),
    ],
)  # fmt: skip
def test_every_other_lie_is_found(folder, capsys, change, words):
    edit(folder, change)
    code, out = said(folder, capsys)
    assert code == 1
    assert words in out
    assert "1 wrong" in out


def test_a_calibration_made_up_with_the_scores_that_follow_is_found(tmp_path, capsys):
    """Half-widths cut by a tenth after the test set was seen; every score follows from that."""
    raw = tables()
    (fold, fitted), *_ = fit_calibrations(raw["forces"]).items()
    forged = replace(fitted, factors={p: 0.9 * f for p, f in fitted.factors.items() if f is not None})
    scores = score_tables(raw, {"forces": ({fold: forged}, "")})
    write(tmp_path, record("pops", **scores), raw)
    code, out = said(tmp_path, capsys)
    assert code == 1
    assert "calibration of forces, fold 0: factor 0.5" in out


def test_the_hash_of_a_dataset_at_hand_is_compared(tmp_path):
    """The embedded dataset, with its hash and with another."""
    lines = []
    true = load_dataset("al").data_hash
    split = make_split(load_dataset("al"))
    for method, stated in (("a", true), ("b", "0" * 64)):
        data = {"hash": stated, "split_hash": split.hash, "held_out": load_card("al").held_out}
        write(tmp_path, record(method, "vacancy", "al", properties=[vacancy()], data=data))
    assert check_records(tmp_path, lines.append) == 1
    assert "al/line/b" in lines[0]
    assert "data.hash is 000000000000, dataset al here has" in lines[0]


@pytest.fixture(name="al", scope="module")
def _al():
    """The embedded dataset, its split, and predictions of energies that are right in all but the method."""
    dataset = load_dataset("al")
    split = make_split(dataset)
    rng = np.random.default_rng(0)
    pieces = []
    for number, fold in enumerate(split.folds):
        for part in PARTS:
            frames = getattr(fold, part)
            labels = np.concatenate([dataset.frames[i].labels("energy") for i in frames])
            mean = labels + 0.01 * rng.standard_normal(len(labels))
            index = np.arange(len(frames))
            table = Table("eV/atom", Prediction(mean, np.full(len(mean), 0.01)), labels, index, index >= 0)
            pieces.append(Evaluated(number, part, frames, {"energy": table}))
    types, clusters = zip(*[(f.config_type, f.cluster) for f in dataset.frames], strict=True)
    return dataset, split, collect(pieces, types, clusters)["energy"]


def nearer(table):
    """Labels pulled half the way to the predictions, from which better scores follow."""
    return {"reference": 0.5 * (table.reference + table.mean)}


def easier(table):
    """The tenth with the largest errors left out."""
    error = np.abs(table.mean - table.reference)
    keep = (table.part == 0) | (error < np.quantile(error, 0.9))
    arrays = ("mean", "std", "reference", "structure", "cluster", "fold", "part", "config_type", "scored")
    return {name: getattr(table, name)[keep] for name in arrays}


def together(table):
    """Clusters split up, so that intervals are narrower."""
    return {"cluster": np.arange(len(table.cluster))}


def seen(table):
    """The parts of calibration and test changed places in the first fold."""
    part = table.part.copy()
    part[table.fold == 0] = np.array([1, 0, 2])[part[table.fold == 0]]
    return {"part": part}


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda table: {}, ""),
        (nearer, "reference (calibration, fold 0) is"),
        (easier, "structure (test, fold 0) is not that"),
        (together, "cluster (calibration, fold 0) is not that"),
        (seen, "structure (calibration, fold 0) is not that"),
    ],
)
def test_labels_made_up_with_the_scores_that_follow_are_found(tmp_path, capsys, al, forge, words):
    dataset, split, table = al
    raw = {"energy": replace(table, **forge(table))}
    held_out = sorted({dataset.frames[i].config_type for f in split.folds for i in f.held_out})
    data = {"hash": dataset.data_hash, "split_hash": split.hash, "held_out": held_out}
    write(tmp_path, record(dataset="al", data=data), raw, scored=True)
    code, out = said(tmp_path, capsys)
    assert code == bool(words), out
    assert words in out


def test_a_split_that_is_none_of_the_datasets_is_found(tmp_path, capsys, al):
    dataset, _, table = al
    data = {"hash": dataset.data_hash, "split_hash": "0" * 64}
    write(tmp_path, record(dataset="al", data=data), {"energy": table}, scored=True)
    code, out = said(tmp_path, capsys)
    assert code == 1
    assert "data.split_hash is 000000000000, made again" in out


def test_a_cost_that_is_none_is_found(folder, capsys):
    edit(folder, lambda content: content["cost"]["predict"].update(ratio_to_bare=-1.0))
    code, out = said(folder, capsys)
    assert code == 1
    assert "cost.predict.ratio_to_bare is -1.0" in out


def test_a_dataset_name_opens_no_file(tmp_path, capsys):
    """A name in a record is not a path to follow."""
    lure = tmp_path / "lure.yaml"
    lure.write_text("not: a card")
    (tmp_path / "records").mkdir()
    write(tmp_path / "records", record("a", "vacancy", str(lure), properties=[vacancy()]))
    code, out = said(tmp_path / "records", capsys)
    assert code == 0
    assert "in no catalogue" in out


def test_nothing_to_check_exits_with_2(tmp_path, capsys):
    assert main(["check-records", str(tmp_path)]) == 2
    assert "holds no records" in capsys.readouterr().err
