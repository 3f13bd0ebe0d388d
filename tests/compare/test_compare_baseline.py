"""--update-baseline: all of what is new in place of what was, or nothing."""

import json
import os

import pytest
from toy_comparison import failed, record, tables, vacancy, write

from uqbench.cli import main
from uqbench.compare.side import read_side
from uqbench.suite.bundle import write_bundle


@pytest.fixture(name="sides")
def _sides(tmp_path):
    """Folders of records: a baseline of a, b and a bundle, and new ones of a, c and one of the bundle."""
    base, new = tmp_path / "base", tmp_path / "new"
    base.mkdir()
    new.mkdir()
    (base / "README.md").write_text("kept")
    write(base, record("a"), tables())
    write(base, record("b"), tables())
    properties = [record(m, "vacancy", properties=[vacancy()]) for m in "ab"]
    write_bundle(properties, base / "bundle.jsonl.xz")
    write(new, record("a"), tables(widened=1.5))
    write(new, failed("c"))
    write(new, record("a", "vacancy", properties=[vacancy(upper=0.9)]))
    return base, new


def snapshot(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_the_baseline_becomes_what_is_new_and_keeps_the_rest(sides, capsys):
    base, new = sides
    before = read_side(base)
    assert main(["compare", str(base), str(new), "--update-baseline"]) == 0
    said = capsys.readouterr().out
    assert "2 records replaced, 1 added (1 of them failures), 2 left as they were" in said
    assert "Worse" in said
    after = read_side(base)
    assert not after.problems
    assert set(after.entries) == set(before.entries) | set(read_side(new).entries)
    assert (base / "README.md").read_text() == "kept"
    assert not [p for p in base.parent.iterdir() if p.name not in ("base", "new")]
    for cell, entry in read_side(new).entries.items():
        assert after.entries[cell].record == entry.record
        assert after.entries[cell].raw_bytes() == entry.raw_bytes()
    assert main(["compare", str(base), str(new)]) == 0


def test_a_record_under_another_name_leaves_no_second_one(sides):
    base, new = sides
    path = next(base.glob("*__a__forces*.json"))
    path.rename(base / "old-name.json")
    main(["compare", str(base), str(new), "--update-baseline"])
    assert not read_side(base).problems
    assert not (base / "old-name.json").exists()


@pytest.mark.parametrize("moment", [0, 1])
def test_an_update_that_fails_leaves_all_as_it_was(sides, monkeypatch, capsys, moment):
    base, new = sides
    before = snapshot(base)
    calls, rename = [], os.rename

    def breaks(source, target):
        calls.append(target)
        if len(calls) == moment + 1:
            raise OSError("disk full")
        rename(source, target)

    monkeypatch.setattr("uqbench.compare.baseline.os.rename", breaks)
    assert main(["compare", str(base), str(new), "--update-baseline"]) == 2
    assert "disk full" in capsys.readouterr().err
    assert snapshot(base) == before
    assert not [p for p in base.parent.iterdir() if p.name not in ("base", "new")]


def test_new_records_that_cannot_be_read_leave_the_baseline(sides, capsys):
    base, new = sides
    before = snapshot(base)
    (new / "z.json").write_text(json.dumps({"schema_version": 0}))
    assert main(["compare", str(base), str(new), "--update-baseline"]) == 2
    assert "the baseline stays as it is" in capsys.readouterr().err
    assert snapshot(base) == before


def test_a_revision_is_no_baseline_to_write(sides, capsys):
    assert main(["compare", "main:records", str(sides[1]), "--update-baseline"]) == 2
    assert "give one as BASE" in capsys.readouterr().err
