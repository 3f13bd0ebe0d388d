"""Records: the published schema, atomic writes, and what is refused."""

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import uqbench.suite
from uqbench.atomic import write_atomically
from uqbench.errors import UqbenchError
from uqbench.suite.record import Record, read_raw, read_record, write_record

SCHEMA = Path(uqbench.suite.__file__).with_name("record.schema.json")


def make_record(**changes):
    fields = {
        "schema_version": 1,
        "cell_id": "al/snap/pops/forces/train=1/seed=0/cpu",
        "content_key": "0" * 64,
        "status": "failed",
        "cell": {
            "dataset": "al",
            "backbone": "snap",
            "method": "pops",
            "task": "forces",
            "train_size": 1.0,
            "seed": 0,
            "device": "cpu",
        },
        "created": "2026-01-01T00:00:00+00:00",
        "data": {
            "hash": "1",
            "elements": ["Al"],
            "n_structures": 3,
            "n_clusters": 3,
            "split_scheme": "3-fold",
            "split_hash": "2",
            "folds": [],
            "held_out": [],
        },
        "scales": {"energy": 0.005},
        "machine": {},
        "machine_class": "a processor, 2 cores",
        "software": {},
    }
    return Record.model_validate({**fields, **changes})


def test_the_published_schema_is_the_one_in_force():
    """Written by Record.model_json_schema(); a change of the record shows here."""
    assert json.loads(SCHEMA.read_text()) == Record.model_json_schema()


def test_a_record_obeys_the_schema(tmp_path):
    write_record(tmp_path, "cell", make_record(), None)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(
        json.loads((tmp_path / "cell.json").read_text())
    )


def test_a_record_is_read_as_written(tmp_path):
    record = make_record()
    write_record(tmp_path, "cell", record, b"raw")
    again = read_record(tmp_path / "cell.json")
    assert again.model_copy(update={"raw": None}) == record
    assert (tmp_path / "cell.npz").read_bytes() == b"raw"


def test_altered_raw_predictions_are_refused(tmp_path):
    write_record(tmp_path, "cell", make_record(), b"raw")
    record = read_record(tmp_path / "cell.json")
    (tmp_path / "cell.npz").write_bytes(b"other")
    with pytest.raises(UqbenchError, match="they were altered"):
        read_raw(tmp_path, record)
    (tmp_path / "cell.npz").unlink()
    with pytest.raises(UqbenchError, match="cannot be read"):
        read_raw(tmp_path, record)


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"schema_version": 99})])
def test_foreign_or_truncated_records_are_refused(tmp_path, content):
    (tmp_path / "cell.json").write_text(content)
    with pytest.raises(UqbenchError, match=r"record .*cell.json"):
        read_record(tmp_path / "cell.json")


def test_a_newer_schema_is_refused_by_name(tmp_path):
    newer = json.loads(make_record().model_dump_json()) | {"schema_version": 2}
    (tmp_path / "cell.json").write_text(json.dumps(newer))
    with pytest.raises(UqbenchError, match="schema_version"):
        read_record(tmp_path / "cell.json")


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(UqbenchError, match="cannot be written: disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
