"""Both reports of 5,000 records: simulation results in a bundle, 250 of them with raw predictions.

Run with: pytest tests/benchmarks/test_bench_report.py -o addopts= --benchmark-only -s
"""

import subprocess
import sys

import pytest
from benchmarks.many_records import write_many
from property_records import part, property_record, scaled
from synthetic_records import make_record, make_table

N_RAW, N_BUNDLED = 250, 4750
_RUN = """
import resource, sys
from uqbench.cli import main
code = main(["report", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_SELF)
print("used", used.ru_maxrss / 1e3, used.ru_utime + used.ru_stime)
sys.exit(code)
"""


@pytest.fixture(name="records", scope="module")
def _records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "records"
    tables = make_table("true")
    parts = [part(name, 100.0 + i) for i, name in enumerate(("C11", "C12", "C44", "bulk_modulus"))]
    bundled = property_record("any", [p for one in parts for p in (one, scaled(one, 2.0))])
    write_many(folder, N_RAW, N_BUNDLED, make_record("any", tables), tables, bundled)
    return folder


@pytest.mark.benchmark(group="report of 5,000 records")
@pytest.mark.parametrize("kind", ["html", "markdown", "both"])
def test_bench_report(benchmark, records, tmp_path, kind):
    options = {
        "html": ["--html", str(tmp_path / "page.html")],
        "markdown": ["--out", str(tmp_path)],
        "both": ["--out", str(tmp_path), "--html", str(tmp_path / "page.html")],
    }[kind]

    def run():
        command = [sys.executable, "-c", _RUN, str(records), *options]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    told = benchmark.pedantic(run, rounds=1)
    peak, seconds = told.split("used")[1].split()
    benchmark.extra_info |= {"peak_mb": float(peak), "cpu_s": float(seconds)}
    if kind != "markdown":
        benchmark.extra_info["page_mb"] = (tmp_path / "page.html").stat().st_size / 1e6
    print(benchmark.extra_info)
