"""What the bounds and fits of the other linear methods cost, beside those of `pops` or what it must do at least."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.linear_problems import MachineRates, RowFile, fit, timed_beside

from uqbench_methods.bootstrap import Bootstrap
from uqbench_methods.pops import Pops
from uqbench_methods.pops_calibrated import PopsCalibrated


def table_of(folder, n, p):
    return RowFile.written(folder / "rows", n, p).dense()


@pytest.mark.benchmark(group="ensemble bounds of 1,000 rows, 20,000 x 200")
def test_bench_ensemble_bounds(benchmark, tmp_path):
    """The hull of all corrections, O(n P) a row, beside the exact box."""
    table = table_of(tmp_path, 20_000, 200)
    rng, problem = np.random.default_rng(0), table.problem()
    hull, box = Pops(posterior="ensemble").fit(problem, rng), Pops(bounds="exact").fit(problem, rng)
    rows = rng.standard_normal((1000, 200))
    timed_beside(
        benchmark,
        lambda: hull.predict_rows(rows, "forces"),
        lambda: box.predict_rows(rows, "forces"),
        5,
        "exact_box",
    )
    seconds = benchmark.stats.stats.median
    least = 2 * table.rows.size * len(rows) / MachineRates.measured().gemm
    benchmark.extra_info |= {
        "us_per_row": 1e6 * seconds / len(rows),
        "share_of_peak": least / benchmark.extra_info["cpu_s"],
    }
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="fit of other methods")
@pytest.mark.parametrize(
    ("method", "n", "p"),
    [(PopsCalibrated(), 20_000, 200), (Bootstrap(members=100), 20_000, 500)],
    ids=["pops_calibrated-20000x200", "bootstrap-100-members-20000x500"],
)
def test_bench_other_fits(benchmark, tmp_path, method, n, p):
    """Beside the fit of `pops` with exact bounds."""
    table = table_of(tmp_path, n, p)
    timed_beside(
        benchmark, lambda: fit(method, table), lambda: fit(Pops(bounds="exact"), table), 3, "pops_exact"
    )
    print(benchmark.extra_info)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(2_000, 50), (20_000, 200), (100_000, 500)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("stage", ["fit", "bounds"])
@pytest.mark.benchmark(group="cuda beside cpu")
def test_bench_cuda(benchmark, tmp_path, size, stage):
    """Rows start, and predictions end, in the host's memory.

    The crossover is the size from which time_over_cpu is under 1.
    """
    method, table, rng = Pops(bounds="exact"), table_of(tmp_path, *size), np.random.default_rng(0)
    rows = rng.standard_normal((5000, size[1]))
    problem = table.problem()
    problems = {"cuda": replace(problem, device="cuda"), "cpu": problem}
    posteriors = {device: method.fit(problem, rng) for device, problem in problems.items()}
    here, there = (posteriors[device].predict_rows(rows, "forces") for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.upper, here.upper, rtol=1e-9)

    def work(device):
        if stage == "fit":
            return lambda: method.fit(problems[device], rng)
        return lambda: posteriors[device].predict_rows(rows, "forces")

    timed_beside(benchmark, work("cuda"), work("cpu"), 5, "cpu")
    print(benchmark.extra_info)
