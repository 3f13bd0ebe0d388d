"""Runs on Dask workers: the records of a run in order, whatever happens to the workers."""

from functools import partial

import pytest
from cluster.small_runs import KILL, SmallRun, scores, write_plugins

from uqbench.cluster.connect import local_client
from uqbench.cluster.crew import ALONE, DaskCrew

pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")


@pytest.fixture(scope="module")
def client():
    with local_client(2) as client:
        yield client


def test_workers_give_the_scores_of_a_run_in_order(client, copper, tmp_path, monkeypatch):
    """Bit for bit, rows computed once for all, from plugins that travel; a bad method fails alone."""
    plugins = write_plugins(tmp_path / "plugins", wrong="raise RuntimeError('the method is wrong')")
    methods, seeds = ("constant", "wrong", "llpr"), (0, 1)
    crews = []

    def hire(settings, display):
        crews.append(DaskCrew(client, settings, display, settings.cache))
        return crews[-1]

    spread = SmallRun(tmp_path / "spread", methods, plugins, seeds)
    found = spread.execute(copper, hire)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert scores(found) == scores(SmallRun(tmp_path / "whole", methods, plugins, seeds).execute(copper))
    assert list(found) == [(m, s) for s in seeds for m in methods]
    assert [t.kind for t in crews[0].taken].count("prepare") == 1
    assert found["wrong", 0].failure.reason == "RuntimeError: the method is wrong"
    for record in found.values():
        assert record.machine["cores"] == 1
        if record.status == "ok":
            assert record.cost["contended"]
            assert {pool["threads"] for pool in record.machine["thread_pools"]} == {1}
    # What was found is known again, and only what failed is tried once more.
    again = SmallRun(tmp_path / "spread", methods, plugins, seeds)
    again.execute(copper, hire)
    assert {again.said.outcomes[m] for m in ("constant", "llpr")} == {"stored"}


def test_a_fit_whose_worker_is_killed_is_run_again(client, copper, tmp_path):
    once = tmp_path / "once"
    body = f"first = not os.path.exists({str(once)!r}); open({str(once)!r}, 'w').close()\n        if first: {KILL}"
    plugins = write_plugins(tmp_path / "plugins", fragile=body)
    run = SmallRun(tmp_path, ("constant", "fragile", "llpr"), plugins)
    found = run.execute(copper, partial(DaskCrew, client, cache=None))
    assert {r.status for r in found.values()} == {"ok"}
    assert found["fragile", 0].scores == found["constant", 0].scores


def test_a_fit_that_kills_its_worker_thrice_is_a_failure(client, copper, tmp_path):
    count = tmp_path / "count"
    body = f"with open({str(count)!r}, 'a') as f: f.write('x')\n        {KILL}"
    plugins = write_plugins(tmp_path / "plugins", deadly=body)
    found = SmallRun(tmp_path, ("constant", "deadly", "llpr"), plugins).execute(
        copper, partial(DaskCrew, client, cache=None)
    )
    assert {m: r.status for (m, _), r in found.items()} == {
        "constant": "ok",
        "deadly": "failed",
        "llpr": "ok",
    }
    assert "worker died" in found["deadly", 0].failure.reason
    assert count.read_text() == "xxx"


@pytest.mark.parametrize("alone", [True, False])
def test_times_rank_only_from_workers_with_a_machine_of_their_own(copper, tmp_path, alone):
    from distributed import Client, LocalCluster

    resources = {ALONE: 1.0} if alone else None
    with (
        LocalCluster(1, processes=False, host=None, dashboard_address=None, resources=resources) as cluster,
        Client(cluster) as client,
    ):
        run = SmallRun(tmp_path, ("constant",), write_plugins(tmp_path / "plugins"))
        (record,) = run.execute(copper, lambda s, d: DaskCrew(client, s, d, s.cache)).values()
    busy = record.cost["other_load_cores"] > 0.25
    assert record.cost["contended"] == (busy or not alone)
