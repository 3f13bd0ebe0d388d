"""Records and blocks that were cut, edited, swapped or written by two runs at once; clocks that jump."""

import json
import os
import random
import shutil
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.command_runs import (
    add_method,
    command,
    environment,
    hidden,
    make_place,
    records,
    results,
    run,
)

from uqbench.atomic import replacing, write_atomically
from uqbench.errors import UqbenchError
from uqbench.report.evidence import load_evidence
from uqbench.suite.record import read_record


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def whole(place):
    assert run(place, place / "whole").returncode == 0
    return place / "whole"


@pytest.fixture
def out(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "out")


def files(out, method):
    """Record and raw predictions of a method."""
    (record,) = (out / "records").glob(f"*__{method}__*.json")
    return record, record.with_suffix(".npz")


def cut(record, raw):
    record.write_bytes(record.read_bytes()[:-100])


def cut_raw(record, raw):
    raw.write_bytes(raw.read_bytes()[:-1])


def flip_raw(record, raw):
    content = bytearray(raw.read_bytes())
    content[len(content) // 2] ^= 1
    raw.write_bytes(content)


def lose_raw(record, raw):
    raw.unlink()


def empty(record, raw):
    record.write_bytes(b"")


def swap(record, raw):
    """The record of another method under this one's name."""
    for other in record.parent.glob("*__llpr__*.json"):
        record.write_bytes(other.read_bytes())


def climb(record, raw):
    content = json.loads(record.read_text())
    content["raw"]["file"] = f"../{content['raw']['file']}"
    record.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [cut, cut_raw, flip_raw, lose_raw, empty, swap, climb])
def test_a_damaged_or_foreign_record_is_left_out_of_the_page_and_run_again(place, whole, out, damage):
    damage(*files(out, "constant"))
    evidence = load_evidence(out / "records")
    assert [r.cell.method for r in evidence.records] == ["llpr"]
    assert len(evidence.problems) == 1
    again = run(place, out)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("stored") == 1
    assert results(out) == results(whole)


def test_an_edited_score_never_reaches_the_page(out):
    record, _ = files(out, "constant")
    content = json.loads(record.read_text())
    content["scores"]["raw"]["test"]["forces"]["crps"]["value"] *= 0.5
    record.write_text(json.dumps(content))
    evidence = load_evidence(out / "records")
    assert ["recomputed" in problem.what for problem in evidence.problems] == [True]
    (shown,) = (r for r in evidence.records if r.cell.method == "constant")
    assert shown.scores["raw"]["test"]["forces"]["crps"].value == pytest.approx(
        2.0 * content["scores"]["raw"]["test"]["forces"]["crps"]["value"]
    )


@pytest.mark.parametrize(
    ("name", "value"), [("a", "x"), ("a", None), ("c", []), ("factors", {"0.95": "x"}), ("factors", None)]
)
def test_a_calibration_that_is_none_is_left_out_of_the_page(out, name, value):
    record, _ = files(out, "constant")
    content = json.loads(record.read_text())
    content["calibration"]["forces"]["0"][name] = value
    record.write_text(json.dumps(content))
    evidence = load_evidence(out / "records")
    assert [r.cell.method for r in evidence.records] == ["llpr"]
    assert "calibration.forces is malformed" in evidence.problems[0].what


def test_one_bad_record_stops_no_run_that_has_nothing_to_do_with_it(place, out):
    (out / "records" / "strange.json").write_text("{")
    done = run(place, out)
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    assert "strange.json" in (out / "README.md").read_text()


def test_a_record_from_the_future_is_not_taken_for_the_result_of_a_fit_that_died(place, tmp_path):
    """The clock went back since it was written; the method has changed, and dies."""
    out, methods = tmp_path / "out", ("changes",)
    add_method(place, "changes", "return good()")
    assert run(place, out, methods=methods).returncode == 0
    record, _ = files(out, "changes")
    os.utime(record, (4e9, 4e9))
    add_method(place, "changes", "os.kill(os.getpid(), signal.SIGKILL)")
    assert run(place, out, methods=methods).returncode == 1
    assert "SIGKILL" in records(out)["changes"]["failure"]["reason"]


def test_records_of_the_past_are_those_of_this_run_if_it_wrote_them(place, tmp_path):
    """The clock goes back an hour under a fit that dies after its work: what it wrote stays."""
    out, methods = tmp_path / "out", ("ends_badly",)
    body = (
        "def late():\n"
        "    folder = os.path.join(os.environ['OUT'], 'records')\n"
        "    while not (os.path.isdir(folder) and any(n.endswith('.json') for n in os.listdir(folder))):\n"
        "        time.sleep(0.001)\n"
        "    for name in os.listdir(folder):\n"
        "        os.utime(os.path.join(folder, name), (1e9, 1e9))\n"
        "    os._exit(7)\n"
        "threading.Thread(target=late, daemon=True).start()\n"
        "return good()"
    )
    add_method(place, "ends_badly", body)
    run(place, out, methods=methods, OUT=str(out))
    assert records(out)["ends_badly"]["status"] == "ok"


def test_a_clock_that_jumps_by_years_changes_nothing(place, whole, tmp_path):
    """Back and forth twenty times a second, as libfaketime shows it to the run and its fits."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("needs libfaketime (Debian: apt install faketime)")
    offset, over, rng = tmp_path / "offset", threading.Event(), random.Random(0)
    write_atomically(offset, b"+0d")

    def jump():
        while not over.wait(0.05):
            write_atomically(offset, f"{rng.choice('+-')}{rng.randint(1, 3000)}d".encode())

    jumping = threading.Thread(target=jump)
    jumping.start()
    clock = {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    done = run(place, tmp_path / "out", LD_PRELOAD=str(library), FAKETIME_TIMESTAMP_FILE=str(offset), **clock)
    over.set()
    jumping.join()
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(tmp_path / "out") == results(whole)
    created = [datetime.fromisoformat(r["created"]) for r in records(tmp_path / "out").values()]
    assert all(abs(time - datetime.now(UTC)) > timedelta(hours=12) for time in created)
    assert run(place, tmp_path / "out").stdout.count("stored") == len(results(whole))


def test_two_runs_at_once_into_one_folder_end_as_one(place, whole, tmp_path):
    out = tmp_path / "out"
    runs = [
        subprocess.Popen(
            command(place, out, "--fresh"),
            env=environment(place),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    for one in runs:
        said = one.communicate(timeout=300)[0].decode()
        assert one.returncode == 0, said
    assert results(out) == results(whole)
    assert hidden(out) == []
    assert not load_evidence(out / "records").problems


def test_a_writer_waits_for_the_one_before_it_and_neither_leaves_anything(tmp_path):
    path, order = tmp_path / "file", []

    def second():
        write_atomically(path, b"second")
        order.append("second")

    other = threading.Thread(target=second)
    with replacing(path) as file:
        other.start()
        other.join(0.3)
        assert other.is_alive()
        file.write(b"first")
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_writer_left_is_written_over(tmp_path):
    (tmp_path / ".file.partial").write_bytes(b"half of something that was long")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_with_flipped_bytes_is_made_anew_and_that_is_said(place, whole, tmp_path):
    cache = tmp_path / "cache"
    shutil.copytree(place / "cache", cache)
    (block,) = (cache / "rows").glob("*.rows")
    content = bytearray(block.read_bytes())
    content[1000] ^= 1
    block.write_bytes(content)
    done = run(place, tmp_path / "out", UQBENCH_CACHE=str(cache))
    assert done.returncode == 0
    assert "damaged" in done.stdout
    assert results(tmp_path / "out") == results(whole)
    assert block.read_bytes() != bytes(content)


@pytest.mark.parametrize("name", ["../outside.npz", "/etc/passwd", "a/b.npz", "..", "a\\b.npz"])
def test_raw_predictions_lie_beside_the_record_or_nowhere(out, name):
    record, _ = files(out, "constant")
    content = json.loads(record.read_text())
    content["raw"]["file"] = name
    record.write_text(json.dumps(content))
    with pytest.raises(UqbenchError, match="a file beside the record"):
        read_record(record)


TASK = '''"""The frames once more, as another task."""
from dataclasses import dataclass
from uqbench_tasks.forces import Forces


@dataclass(frozen=True)
class Again(Forces):
    """As they are."""
'''


@pytest.mark.parametrize(
    ("mishap", "reason", "more"),
    [
        ("time.sleep(60)", "time limit of 6 s", ()),
        ("1 / 0", "ZeroDivisionError", ("--jobs", "1")),
    ],
)
def test_a_fit_that_fails_leaves_the_records_that_are_there(place, tmp_path, mishap, reason, more):
    """Of its other tasks; and what is left to do then ends as in a run of all tasks at once."""
    if more:
        pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")
    (place / "again.py").write_text(TASK)
    add_method(place, "may_fail", "exec(os.environ.get('MISHAP', ''))\nreturn good()")
    both = ("--task", "again", "--plugin", str(place / "again.py"), "--timeout", "6", *more)

    def go(out, *options, **variables):
        done = run(place, out, *options, methods=("may_fail",), **variables)
        found = [json.loads(p.read_text()) for p in (out / "records").glob("*.json")]
        return done, {r["cell"]["task"]: r for r in found}

    out = tmp_path / "out"
    done, first = go(out)
    assert done.returncode == 0, done.stdout + done.stderr
    done, found = go(out, *both, MISHAP=mishap)
    assert done.returncode == 1
    assert found["forces"] == first["forces"]
    assert reason in found["again"]["failure"]["reason"]
    done, found = go(out, *both)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found["forces"] == first["forces"]
    for task, record in go(tmp_path / "at once", *both)[1].items():
        assert found[task]["status"] == record["status"] == "ok"
        assert found[task]["content_key"] == record["content_key"]
        assert found[task]["scores"] == record["scores"]
        assert found[task]["raw"]["sha256"] == record["raw"]["sha256"]
