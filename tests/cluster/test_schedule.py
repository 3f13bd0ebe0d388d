"""List schedules against what can be worked out by hand, and Graham's bound."""

import subprocess
import sys

import numpy as np
import pytest

from uqbench.cluster.crew import Taken
from uqbench.cluster.schedule import list_schedule, read_times
from uqbench.errors import UqbenchError


def fits(*seconds, needs=""):
    return [Taken("fit", f"fit {i}", needs, s) for i, s in enumerate(seconds)]


def test_one_worker_takes_the_sum_and_many_the_longest_chain():
    pieces = [Taken("prepare", "rows", "rows", 5.0), *fits(1.0, 7.0, 2.0, needs="rows"), *fits(4.0)]
    assert list_schedule(pieces, 1).makespan == 19.0
    many = list_schedule(pieces, 100)
    assert many.makespan == many.ideal == 12.0


def test_grahams_own_example_of_a_bad_order():
    """m (m - 1) pieces of 1 and one of m at the end on m workers: 2 m - 1 in place of m."""
    m = 6
    found = list_schedule(fits(*[1.0] * (m * (m - 1)), float(m)), m)
    assert found.makespan == 2 * m - 1
    assert found.ideal == m


def test_fits_wait_for_what_they_need_and_others_do_not():
    pieces = [*fits(3.0), Taken("prepare", "rows", "rows", 2.0), *fits(2.0, needs="rows")]
    # The preparation goes first, so that nobody waits for it longer than needed: [2, 2] and [3].
    assert list_schedule(pieces, 2).makespan == 4.0


def test_a_whole_waits_for_all_its_parts():
    parts = [Taken("part", "rows", "rows", s) for s in (1.0, 2.0, 3.0)]
    pieces = [*parts, Taken("prepare", "rows", "rows", 1.0), *fits(5.0, 5.0, needs="rows"), *fits(4.0)]
    # Parts until 2 and 4, the fit that needs nothing until 6, the whole until 5, and the others until 10 and 11.
    assert list_schedule(pieces, 2).makespan == 11.0
    assert list_schedule(pieces, 9).makespan == list_schedule(pieces, 9).ideal == 9.0


@pytest.mark.parametrize("seed", range(20))
def test_never_below_the_ideal_nor_above_grahams_bound(seed):
    rng = np.random.default_rng(seed)
    pieces = [Taken("prepare", "", name, rng.exponential()) for name in "abc"]
    pieces += [Taken("part", "", str(rng.choice(["a", "b"])), rng.exponential()) for _ in range(9)]
    pieces += [
        Taken("fit", "", str(rng.choice(["a", "b", "c", "d"])), rng.exponential())
        for _ in range(int(rng.integers(1, 60)))
    ]
    for workers in (1, 2, 7, 64):
        found = list_schedule(pieces, workers)
        assert found.ideal <= found.makespan * (1 + 1e-12)
        assert found.makespan <= (2 - 1 / workers) * found.ideal * (1 + 1e-12)
        assert 0 < found.efficiency <= 1 + 1e-12


def test_times_of_a_run_are_read_and_shown(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text('kind,label,needs,seconds\nprepare,a,rows,1.5\nfit,"b, c",rows,2.5\n')
    assert read_times(path) == [Taken("prepare", "a", "rows", 1.5), Taken("fit", "b, c", "rows", 2.5)]
    command = [sys.executable, "-m", "uqbench.cluster.schedule", str(path), "--workers", "4", "--copies", "8"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["1", "32.0", "32.0", "1.000", "100%"],
        ["2", "16.0", "16.0", "1.000", "100%"],
        ["4", "8.0", "8.0", "1.000", "100%"],
    ]


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"kind,label,needs,seconds\nfit,a,b,soon\n", b"\xff"]
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "times.csv").write_bytes(content)
    with pytest.raises(UqbenchError):
        list_schedule(read_times(tmp_path / "times.csv"), 1)
