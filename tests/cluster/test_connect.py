"""Schedulers that are there, are not, are open to others, or ask for certificates; workers that may start nothing."""

import gc
import multiprocessing
import os

import psutil
import pytest
from cluster.small_runs import SmallRun, write_plugins

from uqbench.cli import main
from uqbench.cluster import connect
from uqbench.cluster.connect import local_client, remote_client
from uqbench.cluster.crew import GPU
from uqbench.cluster.hire import TIMES, remote_crew
from uqbench.cluster.schedule import read_times
from uqbench.errors import UqbenchError

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")


def daemon():
    return multiprocessing.current_process().daemon


def test_workers_listen_on_the_loopback_device_alone():
    with local_client(1) as client:
        info = client.scheduler_info(n_workers=-1)
        addresses = [info["address"], *info["workers"], *(w["nanny"] for w in info["workers"].values())]
        assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
        dashboards = [w.get("services", {}).get("dashboard") for w in (info, *info["workers"].values())]
        listening = {
            c.laddr.ip
            for c in psutil.net_connections()
            if c.status == "LISTEN" and c.laddr.port in dashboards
        }
        assert listening == {"127.0.0.1"}
        assert client.submit(daemon).result() is False


def visible():
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_the_first_workers_have_a_gpu_each_and_are_tagged(monkeypatch):
    """Two of those that this process may use, on three workers; work that asks for one gets it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-abc")
    with local_client(3) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        seen = client.run(visible)
        given = {workers[address]["name"]: (seen[address], workers[address]["resources"]) for address in seen}
        assert given == {0: ("5", {GPU: 1.0}), 1: ("GPU-abc", {GPU: 1.0}), 2: ("", {})}
        asked = [client.submit(visible, resources={GPU: 1.0}, pure=False) for _ in range(6)]
        assert {future.result() for future in asked} == {"5", "GPU-abc"}


def test_a_scheduler_with_certificates(tmp_path):
    """The client takes them from Dask's configuration, and is refused without them."""
    pytest.importorskip("cryptography")
    import dask
    from distributed.security import Security

    security = Security.temporary()
    given = {}
    for name in ("ca_file", "client_key", "client_cert"):
        path = tmp_path / f"{name}.pem"
        path.write_text(getattr(security, f"tls_{name}"))
        given["distributed.comm.tls." + name.replace("_", "-").replace("client-", "client.")] = str(path)
    notes = []
    with distributed.LocalCluster(
        1,
        processes=False,
        host="127.0.0.1",
        protocol="tls://",
        security=security,
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        with dask.config.set(given), remote_client(address, notes.append) as client:
            assert client.submit(sum, [1, 2]).result() == 3
        with (
            pytest.raises(UqbenchError, match="no Dask scheduler answers"),
            remote_client(address, notes.append),
        ):
            pass
    assert not notes


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 0.3)


@pytest.mark.parametrize("address", ["localhost:8786", "http://localhost:8786"])
def test_addresses_without_a_protocol_of_dask_are_refused(address, capsys):
    with pytest.raises(UqbenchError, match="tcp://HOST:PORT"), remote_client(address, print):
        pass


def test_where_nobody_answers_that_is_said(hurried):
    with (
        pytest.raises(UqbenchError, match="no Dask scheduler answers"),
        remote_client("tcp://127.0.0.1:9", print),
    ):
        pass


def test_a_refused_client_does_not_stop_the_next_from_starting(hurried, monkeypatch):
    """The next one's thread collects the garbage of the first, which has no certificates, as it starts."""
    import distributed.utils

    def refused(address):
        try:
            with remote_client(address, print):
                return ""
        except UqbenchError as error:
            return str(error)

    loop_factory = distributed.utils.get_loop_factory
    collected = []
    gc.collect()
    gc.disable()
    try:
        assert "ssl_context" in refused("tls://127.0.0.1:9")
        monkeypatch.setattr(
            distributed.utils, "get_loop_factory", lambda: collected.append(gc.collect()) or loop_factory()
        )
        assert "no Dask scheduler answers" in refused("tcp://127.0.0.1:9")
    finally:
        gc.enable()
    assert collected


@pytest.mark.parametrize(
    ("address", "open_to_others"),
    [
        ("tcp://127.0.0.1:9", False),
        ("tcp://[::1]:9", False),
        ("tcp://localhost:9", False),
        ("tcp://192.0.2.1:9", True),
    ],
)
def test_a_connection_that_others_can_use_is_said(hurried, address, open_to_others):
    notes = []
    with pytest.raises(UqbenchError), remote_client(address, notes.append):
        pass
    assert len(notes) == open_to_others


def test_workers_that_may_start_no_process_fail_with_the_remedy(copper, tmp_path):
    import dask

    run = SmallRun(tmp_path, ("constant",), write_plugins(tmp_path / "plugins"))
    with (
        dask.config.set({"distributed.worker.daemon": True}),
        distributed.LocalCluster(
            1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        remote_crew(cluster.scheduler_address, run.settings, run.said) as crew,
    ):
        (record,) = run.execute(copper, lambda settings, said: crew).values()
    assert "DASK_DISTRIBUTED__WORKER__DAEMON=False" in record.failure.reason
    assert [taken.kind for taken in read_times(tmp_path / "out" / TIMES)] == ["prepare"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--jobs", "0"], "at least one process"),
        (["--store", "memory://x"], "one process"),
        (["--store", "/dev/null/x"], "store /dev/null/x"),
        (["--scheduler", "nonsense"], "tcp://HOST:PORT"),
    ],
)
def test_options_that_make_no_sense_end_with_a_sentence(option, words, copper, tmp_path, capsys):
    plugins = write_plugins(tmp_path / "plugins")
    given = [
        "run",
        "--dataset",
        str(copper),
        "--backbone",
        "pairs",
        "--method",
        "constant",
        "--task",
        "forces",
    ]
    given += ["--plugin", str(plugins[0]), "--out", str(tmp_path / "out"), *option]
    assert main(given) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("size", ["-1", "nan", "4XB", ""])
def test_sizes_are_checked(size, capsys):
    with pytest.raises(SystemExit):
        main(["run", "--memory-limit", size])
    assert "--memory-limit" in capsys.readouterr().err
