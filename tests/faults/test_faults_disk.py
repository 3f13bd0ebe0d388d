"""Disks that are full or read-only: said in a sentence, nothing half written, and the same command goes on later."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from faults.command_runs import hidden, make_place, records, results, run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("disks"))


@pytest.fixture(scope="module")
def whole(place):
    assert run(place, place / "whole").returncode == 0
    return results(place / "whole")


def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


@contextmanager
def small_disk(folder, size):
    """A file system of so many bytes; skips where none can be mounted."""
    folder.mkdir()
    done = mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        pytest.skip("needs the right to mount a file system of its own")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(folder, size):
    assert mount("-o", f"remount,size={size}", str(folder)).returncode == 0


@pytest.mark.parametrize("size", ["16k", "60k", "120k"])
def test_a_full_disk_is_said_and_what_was_missing_comes_later(place, whole, tmp_path, size):
    """Too small for a log, for the second record, for the page: whatever it is that finds no room."""
    with small_disk(tmp_path / "disk", size) as disk:
        full = run(place, disk / "out")
        said = full.stdout + full.stderr
        assert full.returncode in (1, 2)
        assert "No space left on device" in said
        assert "Traceback" not in said
        assert not list(disk.rglob("*.partial"))
        for record in records(disk / "out").values():
            assert record["status"] == "ok" or "No space left" in record["failure"]["reason"]
        resize(disk, "20m")
        assert run(place, disk / "out").returncode == 0
        assert results(disk / "out") == whole
        assert hidden(disk / "out") == []


def test_a_full_cache_fails_the_fits_with_its_reason_and_leaves_no_half_block(place, whole, tmp_path):
    with small_disk(tmp_path / "disk", "16k") as disk:
        full = run(place, tmp_path / "out", UQBENCH_CACHE=str(disk))
        assert full.returncode == 1
        assert "No space left on device" in full.stdout
        assert not [*disk.rglob("*.partial"), *disk.rglob("*.json")]
        resize(disk, "20m")
        assert run(place, tmp_path / "out", UQBENCH_CACHE=str(disk)).returncode == 0
    assert results(tmp_path / "out") == whole


def test_a_folder_that_became_read_only_is_said(place, tmp_path):
    """The first run fills it; the second has another method to write."""
    with small_disk(tmp_path / "disk", "20m") as disk:
        assert run(place, disk / "out", methods=("constant",)).returncode == 0
        assert mount("-o", "remount,ro", str(disk)).returncode == 0
        refused = run(place, disk / "out")
        assert refused.returncode == 2
        assert "Read-only file system; choose another folder with --out" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_no_room_for_temporary_files_is_said(place, tmp_path):
    with small_disk(tmp_path / "disk", "4k,nr_inodes=1") as disk:
        done = run(place, tmp_path / "out", TMPDIR=str(disk))
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == 0 or "TMPDIR" in done.stderr


def test_a_largest_file_size_is_like_a_full_disk(tmp_path):
    """Without the right to mount anything: the system refuses to write on, and the old file stays."""
    code = (
        "import resource, pathlib\n"
        "from uqbench.atomic import write_atomically\n"
        "path = pathlib.Path('file')\n"
        "write_atomically(path, b'old')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(path, b'x' * 5000)\n"
        "except ValueError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("UqbenchError file cannot be written: File too large")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
