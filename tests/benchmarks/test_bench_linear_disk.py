"""Fits of rows that stay on disk, against one pass of Gram matrices over the same file.

To reach: 1,000,000 × 1,000 in 6 of these passes and 0.6 GB; two more passes (whitening, projection) do 4 times the
arithmetic of the first, so 5 is the least.
"""

import shutil
from functools import partial

import pytest
from benchmarks.linear_problems import MachineRates, RowFile, fit, gram_pass, peak_above_input, timed_beside

from uqbench_methods.pops import Pops

P = 1000


@pytest.mark.benchmark(group="fit from disk")
@pytest.mark.parametrize("n", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_bench_fit_from_disk(benchmark, tmp_path, n):
    """Time and peak memory, that of Python and its libraries not counted."""
    size = 8 * n * P
    if shutil.disk_usage(tmp_path).free < 1.2 * size:
        pytest.skip(f"{tmp_path} has no room for {size / 1e9:.1f} GB of rows; pass --basetemp")
    source, small = RowFile.written(tmp_path / "rows", n, P), RowFile.written(tmp_path / "small", 1024, 20)
    method, table = Pops(bounds="exact"), source.mapped()
    rounds = 3 if n <= 200_000 else 1
    timed_beside(benchmark, lambda: fit(method, table), lambda: gram_pass(table), rounds, "gram_pass")
    least = MachineRates.measured().floor_of_fit(n, P)
    peak = peak_above_input(partial(fit, method), source, small, mapped=True)
    benchmark.extra_info |= {"share_of_peak": least / benchmark.extra_info["cpu_s"], "peak_mb": peak / 1e6}
    print(benchmark.extra_info)
    # Leave nothing this large to pytest's kept folders.
    source.path.unlink()
