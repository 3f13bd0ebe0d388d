"""Memory of linear methods does not grow with the number of rows, nor hold anything of their size.

Rows are memory-mapped, each fit runs in a process of its own, and what is asked of it is the peak that the system saw
(VmHWM) beyond the libraries.
"""

from functools import partial

import pytest
from benchmarks.linear_problems import RowFile, fit, peak_above_input

from uqbench.api import LinearMethod
from uqbench_methods.bootstrap import Bootstrap
from uqbench_methods.llpr import Llpr
from uqbench_methods.pops import Pops
from uqbench_methods.pops_calibrated import PopsCalibrated

N, P = 60_000, 200
PREDICTED = 500
"""Rows predicted: with all corrections or draws at once their bounds would take 240 MB or more."""

MB = 1_000_000
METHODS: dict[str, tuple[LinearMethod, int]] = {
    "pops-exact": (Pops(bounds="exact"), 60 * MB),
    "pops-sampled": (Pops(), 60 * MB),
    "pops-ensemble": (Pops(posterior="ensemble"), 60 * MB),
    "pops_calibrated": (PopsCalibrated(folds=4), 60 * MB),
    "llpr": (Llpr(), 60 * MB),
    # Gram matrices of blocks of clusters, 256 MiB of them by design.
    "bootstrap": (Bootstrap(members=10), 350 * MB),
}
"""Each with the most it may take; the rows take 96 MB, and twice as many 192 MB."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    return {n: RowFile.written(folder / f"{n}", n, P) for n in (N, 2 * N)} | {
        "small": RowFile.written(folder / "small", 1024, 20)
    }


@pytest.mark.parametrize("name", METHODS)
def test_peak_is_bounded_whatever_the_number_of_rows(files, name):
    method, most = METHODS[name]
    work = partial(fit, method, predicted=PREDICTED)
    peaks = [peak_above_input(work, files[n], files["small"], mapped=True) for n in (N, 2 * N)]
    print(name, [f"{peak / MB:.1f} MB" for peak in peaks])
    assert max(peaks) < most
    # A quarter of what a copy of the added rows would take; numbers a row are allowed, P numbers a row are not.
    assert peaks[1] - peaks[0] < 8 * N * P / 4
