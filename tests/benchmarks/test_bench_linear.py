"""Fits and bounds of POPS beside popsregression 0.4.0, and against what the machine can do.

To reach on 2 cores that have nothing else to do: fit 100,000 × 500 in 2 s with 0.15 GB above the input, 20,000 × 200
in 0.15 s, exact bounds of 5,000 rows (P = 500) in 0.05 s.

Run with: pytest tests/benchmarks/test_bench_linear.py -o addopts= -m "not slow" --benchmark-only -s
"""

from functools import partial

import numpy as np
import pytest
from benchmarks.linear_problems import MachineRates, RowFile, Table, fit, peak_above_input, timed_beside

from uqbench_methods.pops import Pops
from uqbench_methods.pops_reference import PopsReference

VARIANTS = {"exact": Pops(bounds="exact"), "sampled": Pops()}
SIZES = [(100_000, 500), (20_000, 200)]
MB = 1e6


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[tuple[int, int], RowFile]:
    folder = tmp_path_factory.mktemp("rows")
    return {(n, p): RowFile.written(folder / f"{n}x{p}", n, p) for n, p in [*SIZES, (1024, 20)]}


def fit_popsregression(table: Table):
    """Its defaults; it needs all rows in memory."""
    from popsregression import POPSRegression

    return POPSRegression().fit(table.rows, table.labels)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.benchmark(group="fit")
def test_bench_fit(benchmark, files, size, variant):
    """The same coefficients too, as near as popsregression iterates."""
    table, method = files[size].dense(), VARIANTS[variant]
    timed_beside(
        benchmark, lambda: fit(method, table), lambda: fit_popsregression(table), 3, "popsregression"
    )
    posterior = method.fit(table.problem(), np.random.default_rng(0))
    np.testing.assert_allclose(posterior.mean, fit_popsregression(table).coef_, atol=1e-3)
    rates = MachineRates.measured()
    small = files[1024, 20]
    benchmark.extra_info |= {
        "gemm_gflops": rates.gemm / 1e9,
        "syrk_gflops": rates.syrk / 1e9,
        "share_of_peak": rates.floor_of_fit(*size) / benchmark.extra_info["cpu_s"],
        "peak_mb": peak_above_input(partial(fit, method), files[size], small) / MB,
        "popsregression_peak_mb": peak_above_input(fit_popsregression, files[size], small) / MB,
    }
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="fit, energies and forces")
def test_bench_fit_two_kinds(benchmark, files):
    """Two noise precisions instead of one: each update of the evidence factorises."""
    table = files[20_000, 200].dense()
    rng, method = np.random.default_rng(0), VARIANTS["exact"]
    one, two = table.problem(), table.problem(n_kinds=2)
    timed_beside(benchmark, lambda: method.fit(two, rng), lambda: method.fit(one, rng), 5, "one_kind")
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="bounds of 5,000 rows, P = 500")
@pytest.mark.parametrize("bounds", ["exact", "sampled"])
def test_bench_bounds(benchmark, files, bounds):
    """Our exact box; and popsregression's own algorithm in ours, with as many samples as it draws itself."""
    table = files[100_000, 500].dense()
    rows = np.random.default_rng(1).standard_normal((5000, 500))
    peer = fit_popsregression(table)
    method = VARIANTS["exact"] if bounds == "exact" else PopsReference()
    posterior = method.fit(table.problem(), np.random.default_rng(0))

    def theirs():
        return peer.predict(rows, return_std=True, return_bounds=True)

    def ours():
        return posterior.predict_rows(rows, "forces")

    timed_beside(benchmark, ours, theirs, 3, "popsregression")
    _, std, upper, lower = theirs()
    if bounds == "exact":
        rates = MachineRates.measured()
        least = 2 * rows.size * rows.shape[1] / rates.gemm
        benchmark.extra_info["share_of_peak"] = least / benchmark.extra_info["cpu_s"]
    else:
        prediction = ours()
        np.testing.assert_allclose(prediction.std, std, rtol=0.02)
        width = np.mean(prediction.upper - prediction.lower)
        np.testing.assert_allclose(width, np.mean(upper - lower), rtol=0.02)
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="prediction of 5,000 rows, P = 500")
@pytest.mark.parametrize("variant", VARIANTS)
def test_bench_predict(benchmark, files, variant):
    """With bounds, beside the bare prediction rows · θ."""
    posterior = VARIANTS[variant].fit(files[100_000, 500].dense().problem(), np.random.default_rng(0))
    rows = np.random.default_rng(1).standard_normal((5000, 500))
    bare = posterior.mean
    timed_beside(benchmark, lambda: posterior.predict_rows(rows, "forces"), lambda: rows @ bare, 5, "bare")
    benchmark.extra_info["us_per_row"] = 1e6 * benchmark.stats.stats.median / len(rows)
    print(benchmark.extra_info)
