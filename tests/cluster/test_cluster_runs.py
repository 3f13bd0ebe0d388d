"""Runs on Dask workers: the records of a run in order, whatever happens to the workers."""

import os
from functools import partial

import pytest
from cluster.small_runs import KILL, SmallRun, scores, write_plugins
from emt_copper import write_copper

from uqbench.cluster import crew as crew_module
from uqbench.cluster.connect import local_client
from uqbench.cluster.crew import ALONE, DaskCrew
from uqbench.cluster.store import FsspecStore
from uqbench.data.dataset import load_dataset

pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")


FAULTY_ROWS = """
    def rows(self, structures, elements):
        for atoms, rows in zip(structures, super().rows(structures, elements)):
            if atoms.positions[0, 0] == {place!r}:
                raise RuntimeError("no rows for this one")
            yield rows
"""


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
    assert found["wrong", 0].failure.reason == "RuntimeError: the method is wrong (wrong.py, line 13)"
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


def test_workers_that_do_not_come_back_are_replaced(copper, tmp_path):
    """Also all of them, while the run waits; it says so once."""
    import dask

    run = SmallRun(tmp_path, ("constant", "llpr"), write_plugins(tmp_path / "plugins"))
    with local_client(2) as client, dask.config.set({"distributed.deploy.lost-worker-timeout": "0.5s"}):
        before = set(client.scheduler_info(n_workers=-1)["workers"])
        for nanny in list(client.cluster.workers.values()):
            client.sync(nanny.close)
        assert not client.scheduler_info(n_workers=-1)["workers"]
        found = run.execute(copper, partial(DaskCrew, client, cache=None))
        client.wait_for_workers(2)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        assert sorted(w["name"] for w in workers.values()) == [0, 1]
        assert not before & set(workers)
    assert {r.status for r in found.values()} == {"ok"}
    assert run.said.notes.count("there are no workers now; waiting for some.") == 1


@pytest.mark.parametrize("shared", ["cache", "store", "nothing"])
def test_rows_are_computed_in_parts_by_several_workers(client, copper, tmp_path, monkeypatch, shared):
    """Where one can reach what the other made; the whole is that of a run in order, and no part stays behind."""
    monkeypatch.setattr(crew_module, "ATOMS_OF_A_PART", 20)
    client.cluster.scale(2)
    client.wait_for_workers(2)
    client.run(lambda: os.environ.__setitem__("UQBENCH_CACHE", str(tmp_path / "workers")))
    plugins, crews = write_plugins(tmp_path / "plugins"), []
    store = tmp_path / "store"
    more = {"store": FsspecStore(str(store))} if shared == "store" else {}

    def hire(settings, display):
        crews.append(DaskCrew(client, settings, display, settings.cache if shared == "cache" else None))
        return crews[-1]

    found = SmallRun(tmp_path / "parts", ("constant", "llpr"), plugins, more=more).execute(copper, hire)
    kinds = [taken.kind for taken in crews[0].taken]
    assert kinds == ["part"] * (0 if shared == "nothing" else 2) + ["prepare", "fit", "fit"]
    whole = SmallRun(tmp_path / "whole", ("constant", "llpr"), plugins)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert scores(found) == scores(whole.execute(copper))
    (rows,) = whole.settings.cache.glob("*.rows")
    folders = {"cache": [tmp_path / "parts" / "cache" / "rows"], "store": [store / "rows"]}
    for folder in folders.get(shared, [tmp_path / "workers" / "rows"]):
        assert [p.name for p in folder.glob("*.rows")] == [rows.name]
        assert (folder / rows.name).read_bytes() == rows.read_bytes()


def test_a_part_that_cannot_be_computed_fails_what_needs_it_with_its_reason(client, tmp_path, monkeypatch):
    monkeypatch.setattr(crew_module, "ATOMS_OF_A_PART", 20)
    dataset = write_copper(tmp_path / "copper.xyz")
    plugins = write_plugins(tmp_path / "plugins")
    with plugins[0].open("a") as file:
        file.write(FAULTY_ROWS.format(place=float(load_dataset(dataset).frames[30].atoms.positions[0, 0])))
    run = SmallRun(tmp_path, ("constant", "llpr"), plugins)
    found = run.execute(dataset, lambda s, d: DaskCrew(client, s, d, s.cache))
    for record in found.values():
        assert "structure 30: RuntimeError: no rows for this one" in record.failure.reason


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
