"""Many records in one file: what comes back, what is refused, and what a report makes of a broken line."""

import lzma

import pytest
from property_records import part, property_record
from synthetic_records import write_methods

from uqbench.cli import main
from uqbench.errors import UqbenchError
from uqbench.report.evidence import load_evidence
from uqbench.suite.bundle import read_bundle, write_bundle
from uqbench.suite.record import RawPart, read_records

RECORDS = [property_record("m", [part(value=100.0 / 3.0)], dataset=f"analytic_{i:03d}") for i in range(3)]


def broken(path, number, line):
    """The bundle with one line replaced."""
    lines = lzma.decompress(path.read_bytes()).splitlines()
    lines[number - 1] = line
    path.write_bytes(lzma.compress(b"\n".join(lines) + b"\n"))


def test_records_come_back_as_they_were_and_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        write_bundle(RECORDS, tmp_path / f"{name}.jsonl.xz")
    assert read_bundle(tmp_path / "one.jsonl.xz") == RECORDS
    assert (tmp_path / "one.jsonl.xz").read_bytes() == (tmp_path / "two.jsonl.xz").read_bytes()


def test_a_folder_gives_its_records_and_those_of_its_bundles(tmp_path):
    write_methods(tmp_path, good="true")
    write_bundle(RECORDS, tmp_path / "many.jsonl.xz")
    assert [r.cell_id for r in read_records(tmp_path)] == [
        "toy/line/good/forces/0",
        *(r.cell_id for r in RECORDS),
    ]
    evidence = load_evidence(tmp_path)
    assert evidence.problems == []
    assert len(evidence.records) == 4
    assert {row.record.cell.method for row in evidence.rows} == {"good"}


def test_what_a_bundle_cannot_hold_is_refused(tmp_path):
    raw = RECORDS[0].model_copy(update={"raw": RawPart(file="a.npz", sha256="0")})
    with pytest.raises(UqbenchError, match="has raw predictions"):
        write_bundle([raw], tmp_path / "a.jsonl.xz")
    with pytest.raises(UqbenchError, match="given twice"):
        write_bundle([RECORDS[0], RECORDS[0]], tmp_path / "a.jsonl.xz")
    with pytest.raises(UqbenchError, match="no records"):
        write_bundle([], tmp_path / "a.jsonl.xz")
    with pytest.raises(UqbenchError, match="must end in"):
        write_bundle(RECORDS, tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"schema_version": 1,', "line 2: the file: Invalid JSON"),
        (RECORDS[1].model_dump_json().replace('"C11"', "7").encode(), "line 2: properties.0.name"),
        (
            RECORDS[1].model_copy(update={"raw": RawPart(file="a", sha256="0")}).model_dump_json().encode(),
            "line 2: raw: record",
        ),
    ],
)
def test_a_broken_line_is_named_and_costs_no_other(tmp_path, line, said):
    path = tmp_path / "many.jsonl.xz"
    write_bundle(RECORDS, path)
    broken(path, 2, line)
    with pytest.raises(UqbenchError, match=said):
        read_bundle(path)
    evidence = load_evidence(tmp_path)
    assert [r.cell.dataset for r in evidence.records] == ["analytic_000", "analytic_002"]
    assert [p.who for p in evidence.problems] == ["many.jsonl.xz, line 2"]
    assert str(tmp_path) not in evidence.problems[0].what


def test_a_file_cut_short_or_of_another_kind_is_a_problem_of_the_file(tmp_path):
    path = tmp_path / "many.jsonl.xz"
    write_bundle(RECORDS, path)
    path.write_bytes(path.read_bytes()[:-40])
    (tmp_path / "other.jsonl.xz").write_bytes(b"not compressed")
    for name in ("many", "other"):
        with pytest.raises(UqbenchError, match=f"{name}.jsonl.xz cannot be read after line"):
            read_bundle(tmp_path / f"{name}.jsonl.xz")
    assert {p.who for p in load_evidence(tmp_path).problems} == {"many.jsonl.xz", "other.jsonl.xz"}


def test_a_line_without_end_is_not_read_into_memory(tmp_path):
    path = tmp_path / "bomb.jsonl.xz"
    path.write_bytes(lzma.compress(b" " * (1 << 25)))
    with pytest.raises(UqbenchError, match="line 1: longer than"):
        read_bundle(path)


def test_a_cell_in_a_file_and_in_a_bundle_is_a_problem(tmp_path):
    write_bundle(RECORDS, tmp_path / "one.jsonl.xz")
    write_bundle(RECORDS[:1], tmp_path / "two.jsonl.xz")
    evidence = load_evidence(tmp_path)
    assert len(evidence.records) == 3
    assert "has a record already" in evidence.problems[0].what
    assert evidence.problems[0].who == "two.jsonl.xz, line 1"


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    for read in (read_records, load_evidence):
        with pytest.raises(UqbenchError, match=r"holds no records \(\*.json, \*.jsonl.xz\)"):
            read(tmp_path)


def test_the_command_packs_folders_into_one_file(tmp_path, capsys):
    folders = []
    for k, record in enumerate(RECORDS[:2]):
        folder = tmp_path / str(k)
        folder.mkdir()
        (folder / "one.json").write_text(record.model_dump_json())
        folders.append(str(folder))
    assert main(["pack", *folders, str(tmp_path / "all.jsonl.xz")]) == 0
    assert "2 records" in capsys.readouterr().out
    assert read_bundle(tmp_path / "all.jsonl.xz") == RECORDS[:2]
