"""Plans of many cells laid out and recognised, and rows added up by several workers.

To reach: 20,000 cells laid out in 5 s and recognised in 10 s; 1,000,000 × 1,000 rows within the stated memory of a
worker.
"""

import os
from functools import cache, partial

import pytest
from cluster.simulated_rows import open_rows
from cluster.small_runs import Said, SmallRun, write_plugins
from emt_copper import write_copper

from uqbench.cluster.connect import local_client
from uqbench.cluster.normal import normal_equations, require_memory, shares
from uqbench.cost.memory import peak_resident_bytes
from uqbench.data.dataset import load_dataset
from uqbench.registry import discover
from uqbench.suite.config import Suite
from uqbench.suite.execute import Settings, execute
from uqbench.suite.graph import Layout
from uqbench.suite.record import read_record
from uqbench.suite.run import plan_suite

METHODS = 50
LOAD = cache(load_dataset)
CELLS = [2_000, pytest.param(20_000, marks=pytest.mark.slow)]


def large_suite(dataset, cells):
    methods = tuple(f"pops:percentile={i / 2}" for i in range(METHODS))
    return Suite(
        datasets=(str(dataset),),
        backbones=("pairs:n_radial=2", "pairs"),
        methods=methods,
        tasks=("forces",),
        seeds=tuple(range(cells // METHODS // 2)),
        devices=("cpu",),
    )


def lay_out(dataset, registry, cells, folder):
    """Nodes, plan and settings."""
    suite = large_suite(dataset, cells)
    plan = plan_suite(suite, registry)
    settings = Settings(
        folder / "out", folder / "cache" / "rows", (), suite.scales.by_kind(), None, 60.0, 1, False
    )
    layout = Layout(settings, registry, LOAD, lambda text: None)
    return [layout.node(number, fit) for number, fit in enumerate(plan, 1)], plan, settings


def write_copy(job, record, shared):
    """A record of the job's cell like another one, with its raw predictions."""
    (key,) = job.keys.values()
    stem = job.fit.cell("forces").file_stem
    part = record.raw.model_copy(update={"file": f"{stem}.npz"})
    copy = record.model_copy(
        update={"content_key": key, "cell_id": job.fit.cell("forces").cell_id, "raw": part}
    )
    (job.records / f"{stem}.json").write_text(copy.model_dump_json(indent=1))
    os.link(shared, job.records / f"{stem}.npz")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A run of one cell: what its record and raw predictions hold."""
    folder = tmp_path_factory.mktemp("one")
    dataset = write_copper(folder / "copper.xyz", 200)
    plugins = write_plugins(folder / "plugins")
    run = SmallRun(folder, ("pops",), plugins)
    run.execute(dataset)
    (record,) = run.settings.records.glob("*.json")
    return dataset, plugins, record


@pytest.mark.benchmark(group="plan")
@pytest.mark.parametrize("cells", CELLS)
def test_bench_plan_laid_out(benchmark, one, cells, tmp_path):
    """From a suite to every fit's job with its keys; the dataset is read before."""
    dataset, plugins, _ = one
    registry = discover(plugins)
    LOAD(str(dataset))
    benchmark.pedantic(lambda: lay_out(dataset, registry, cells, tmp_path), rounds=1)


@pytest.mark.benchmark(group="plan")
@pytest.mark.parametrize("cells", CELLS)
def test_bench_finished_plan_recognised(benchmark, one, cells, tmp_path):
    """Every byte of every record and of its raw predictions against checksums."""
    dataset, plugins, record = one
    registry, said = discover(plugins), Said()
    nodes, plan, settings = lay_out(dataset, registry, cells, tmp_path)
    settings.records.mkdir(parents=True)
    shared = record.with_name(record.name.replace(".json", ".npz"))
    for node in nodes:
        write_copy(node.job, read_record(record), shared)
    execute(plan, settings, registry, LOAD, said)
    assert set(said.outcomes.values()) == {"stored"}
    benchmark.pedantic(lambda: execute(plan, settings, registry, LOAD, said), rounds=1)
    size = os.path.getsize(record) + os.path.getsize(shared)
    benchmark.extra_info |= {
        "bytes_of_a_cell": size,
        "us_per_cell": 1e6 * benchmark.stats.stats.median / cells,
    }
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="rows on workers")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("n", "p"), [(40_000, 400), pytest.param(1_000_000, 1_000, marks=pytest.mark.slow)])
def test_bench_rows_on_workers(benchmark, n, p, workers):
    """Simulated rows, drawn where they are added up; peak memory of a worker beyond that before, and its bound."""
    opened = partial(open_rows, p)
    bound = require_memory(2**30, p, 2)
    with local_client(workers) as client:
        normal_equations(client, shares(partial(open_rows, 50), 1_000, workers))
        before = client.run(peak_resident_bytes)
        benchmark.pedantic(lambda: normal_equations(client, shares(opened, n, workers)), rounds=1)
        after = client.run(peak_resident_bytes)
    peak = max(after[worker] - before[worker] for worker in before)
    assert peak < bound
    benchmark.extra_info |= {"peak_mb": peak / 1e6, "bound_mb": bound / 1e6}
    print(benchmark.extra_info)
