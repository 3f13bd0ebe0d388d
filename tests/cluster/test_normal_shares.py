"""Sums over shares of rows against the sum over all of them in one process, and what they hold in memory."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cluster.simulated_rows import open_rows

from uqbench.cluster.connect import local_client
from uqbench.cluster.normal import added, normal_equations, require_memory, shares
from uqbench.cost.memory import peak_resident_bytes
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import maximise_evidence
from uqbench.linear.normal import accumulate

pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")

P, N = 120, 100_000


def agree(one, other, relative):
    assert one.kinds == other.kinds
    np.testing.assert_array_equal(one.count, other.count)
    for name in ("gram", "moment", "square", "column_scale"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=relative, atol=relative)


@pytest.fixture(scope="module")
def client():
    with local_client(2) as client:
        yield client


@pytest.mark.parametrize("cut", [1, 49, 50, 333, 999])
def test_two_parts_add_up_to_the_whole(cut):
    """Also where a part is one row of one kind alone."""
    whole = accumulate(open_rows(7, 0, 1000))
    agree(added(accumulate(open_rows(7, 0, cut)), accumulate(open_rows(7, cut, 1000))), whole, 1e-13)


def test_a_kind_that_one_part_lacks_counts_as_no_rows():
    forces = accumulate(open_rows(7, 1, 50))
    assert forces.kinds == ("forces",)
    both = added(forces, accumulate(open_rows(7, 50, 100)))
    agree(both, accumulate(open_rows(7, 1, 100)), 1e-13)
    assert both.count.tolist() == [1, 98]


def test_shares_cover_every_row_once():
    for n, workers in ((1, 5), (7, 2), (10_000, 3)):
        parts = shares(partial(open_rows, P), n, workers)
        assert [p.first for p in parts] == [0, *(p.last for p in parts[:-1])]
        assert parts[-1].last == n
        assert all(p.last > p.first for p in parts)


def test_workers_give_the_fit_of_one_process_within_the_bound_of_memory(client):
    """Coefficients and covariance to 1e-12; twenty times the rows take no more memory than the bound."""
    opened = partial(open_rows, P)
    small = normal_equations(client, shares(opened, 5_000, 2))
    agree(small, accumulate(opened(0, 5_000)), 1e-12)
    before = client.run(peak_resident_bytes)
    found = normal_equations(client, shares(opened, N, 2))
    after = client.run(peak_resident_bytes)
    ours, theirs = maximise_evidence(found), maximise_evidence(accumulate(opened(0, N)))
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-12, atol=1e-12 * np.abs(theirs.mean).max())
    np.testing.assert_allclose(
        ours.whitener @ ours.whitener.T, theirs.whitener @ theirs.whitener.T, rtol=1e-12, atol=1e-16
    )
    bound = require_memory(10**9, P, 2)
    assert all(after[worker] - before[worker] < bound for worker in before)
    # Half of a worker's rows would not fit: what is held is not what was read.
    assert bound < 8 * P * N / 4


def test_a_limit_that_is_too_small_is_said():
    with pytest.raises(UqbenchError, match=r"1000 columns and 2 kinds of label need 0\.14 GB a worker"):
        require_memory(100_000_000, 1000, 2)


def test_no_rows_are_an_error(client):
    with pytest.raises(UqbenchError, match="no rows"):
        normal_equations(client, [])


def test_the_example_of_the_docs_runs(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    submitting, adding = re.findall(r"```python\n(.*?)```", page, re.S)
    compile(submitting, "submitting", "exec")
    small = (
        adding.replace("1_000_000", "2_000")
        .replace("1000", "10")
        .replace("my_rows", "cluster.simulated_rows")
    )
    script = tmp_path / "script.py"
    script.write_text(small + "    print(len(ridge.mean))\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "10\n", done.stderr
