"""Stores: whole files or none, what machines share through them, and what happens when they fail."""

import pickle
import warnings

import numpy as np
import pytest
from cluster.small_runs import SmallRun, files, scores, write_plugins

from uqbench.backbones.store import stored_rows
from uqbench.check.toy_backbone import ToyPairs
from uqbench.check.toy_data import ELEMENTS, toy_frames
from uqbench.cluster import store as store_module
from uqbench.cluster.store import FsspecStore, open_store
from uqbench.errors import UqbenchError

fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install uqbench[dask]")

STRUCTURES = [frame.atoms for frame in toy_frames()[:6]]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(store_module, "WAITS", (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def s3():
    """A bucket on a moto server of this process."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    server_module = pytest.importorskip("moto.server", reason="needs moto, flask and flask-cors")
    server = server_module.ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    given = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3", use_listings_cache=False).mkdir("uqbench-bucket")
        yield "s3://uqbench-bucket/shared"
    server.stop()


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def url(request, tmp_path):
    if request.param == "s3":
        return request.getfixturevalue("s3")
    places = {
        "folder": str(tmp_path / "store"),
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://{tmp_path.name}",
    }
    return places[request.param]


def test_what_is_put_comes_back(url, tmp_path):
    store = pickle.loads(pickle.dumps(FsspecStore(url)))
    assert store.list("rows/") == []
    assert not store.exists("rows/a.json")
    assert store.get("rows/a.json") is None
    assert not store.fetch("rows/a.json", tmp_path / "a")
    store.put("rows/a.json", b"first")
    store.put("rows/a.json", b"second")
    (tmp_path / "big").write_bytes(bytes(range(256)) * 1000)
    store.send(tmp_path / "big", "rows/b.rows")
    store.put("raw/c.npz", b"")
    assert store.get("rows/a.json") == b"second"
    assert store.list("rows/") == ["rows/a.json", "rows/b.rows"]
    assert store.fetch("rows/b.rows", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "big").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_a_put_that_breaks_off_leaves_the_old_file(tmp_path, monkeypatch):
    store = FsspecStore(str(tmp_path / "store"))
    store.put("rows/a", b"whole")
    local = fsspec.get_filesystem_class("file")

    def half(self, path, content, **_):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(local, "pipe_file", half)
    with pytest.raises(UqbenchError, match="no space left"):
        store.put("rows/a", b"another")
    assert store.get("rows/a") == b"whole"
    assert files(tmp_path / "store") == ["rows/a"]


def test_a_store_that_fails_now_and_then_is_asked_again(tmp_path, monkeypatch):
    local = fsspec.get_filesystem_class("file")
    plain, calls = local.cat_file, []

    def moody(self, path, *rest, **more):
        calls.append(path)
        if len(calls) % 3:
            raise TimeoutError("try again")
        return plain(self, path, *rest, **more)

    store = FsspecStore(str(tmp_path))
    store.put("a", b"1")
    monkeypatch.setattr(local, "cat_file", moody)
    assert store.get("a") == b"1"
    assert len(calls) == 3


def test_messages_do_not_give_passwords_away():
    store = FsspecStore("sftp://me:planted-secret@host/place?token=planted-secret")
    assert store.shown == "sftp://host/place"
    with pytest.raises(UqbenchError) as error:
        open_store("sftp://me:planted-secret@127.0.0.1:9/place")
    assert "planted-secret" not in str(error.value)


@pytest.mark.parametrize(("given", "words"), [("memory://x", "one process"), ("nonsense://x", "nonsense")])
def test_stores_that_cannot_work_are_refused(given, words):
    with pytest.raises(UqbenchError, match=words):
        open_store(given)


def test_rows_are_computed_by_one_machine_and_fetched_by_others(url, tmp_path):
    store = FsspecStore(f"{url}/rows-test")
    first = stored_rows(ToyPairs(), STRUCTURES, ELEMENTS, tmp_path / "one" / "rows", store=store)
    second = stored_rows(ToyPairs(), STRUCTURES, ELEMENTS, tmp_path / "two" / "rows", store=store)
    assert first.computed
    assert not second.computed
    np.testing.assert_array_equal(first.table, second.table)


def test_rows_damaged_in_the_store_are_said_computed_and_mended(tmp_path):
    store = FsspecStore(str(tmp_path / "store"))
    whole = stored_rows(ToyPairs(), STRUCTURES, ELEMENTS, tmp_path / "one" / "rows", store=store)
    (block,) = (tmp_path / "store" / "rows").glob("*.rows")
    content = bytearray(block.read_bytes())
    content[100] ^= 1
    block.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged"):
        again = stored_rows(ToyPairs(), STRUCTURES, ELEMENTS, tmp_path / "two" / "rows", store=store)
    assert again.computed
    np.testing.assert_array_equal(again.table, whole.table)
    with warnings.catch_warnings(action="error"):
        third = stored_rows(ToyPairs(), STRUCTURES, ELEMENTS, tmp_path / "three" / "rows", store=store)
    assert not third.computed


def test_rows_are_computed_where_the_store_is_out_of_reach(tmp_path):
    (tmp_path / "store").write_text("a file in its place")
    store = FsspecStore(str(tmp_path / "store"))
    with pytest.warns(UserWarning, match="Other machines will do this again"):
        assert stored_rows(ToyPairs(), STRUCTURES, ELEMENTS, tmp_path / "rows", store=store).computed


def test_records_of_a_store_are_recognised_without_running_anything(copper, tmp_path):
    plugins = write_plugins(tmp_path / "plugins")
    more = {"store": FsspecStore(str(tmp_path / "store"))}
    found = SmallRun(tmp_path / "one", ("constant", "llpr"), plugins, more=more).execute(copper)
    other = SmallRun(tmp_path / "two", ("constant", "llpr"), plugins, more=more)
    assert scores(other.execute(copper)) == scores(found)
    assert other.said.outcomes == {"constant": "stored", "llpr": "stored"}
    assert not (tmp_path / "two" / "cache").exists()
    names = set(files(tmp_path / "one" / "out" / "records"))
    assert names == set(files(tmp_path / "two" / "out" / "records"))
    # One whose raw predictions were altered there is run, and put there anew.
    raw = tmp_path / "store" / "raw" / f"{found['llpr', 0].raw.sha256}.npz"
    raw.write_bytes(raw.read_bytes()[:-1])
    third = SmallRun(tmp_path / "three", ("constant", "llpr"), plugins, more=more)
    assert scores(third.execute(copper)) == scores(found)
    assert third.said.outcomes == {"constant": "stored", "llpr": "ok"}
    fourth = SmallRun(tmp_path / "four", ("constant", "llpr"), plugins, more=more)
    fourth.execute(copper)
    assert set(fourth.said.outcomes.values()) == {"stored"}


FAILING = """
import os
from fsspec.implementations.local import LocalFileSystem
from uqbench.cluster import store

store.WAITS = (0.0, 0.0, 0.0)


def failing(plain):
    def call(*arguments, **more):
        if os.urandom(1)[0] < 256 * float(os.environ["SHARE"]):
            raise TimeoutError("no answer")
        return plain(*arguments, **more)

    return call


for name in ("cat_file", "pipe_file", "put_file", "get_file", "mv", "find", "exists"):
    if not hasattr(getattr(LocalFileSystem, name), "plain"):
        plain = getattr(LocalFileSystem, name)
        setattr(LocalFileSystem, name, failing(plain))
        getattr(LocalFileSystem, name).plain = plain
"""
"""Makes a share of all requests to a store in a folder fail, in whatever process the plugin is imported."""


@pytest.mark.parametrize("share", ["0.4", "0.8", "1.0"])
def test_a_store_that_fails_at_random_costs_time_and_no_result(copper, tmp_path, monkeypatch, share):
    """In the run and in its fits; what was put there all the same is whole, and is found once the store is well."""
    plain, plugins = tmp_path / "plain", write_plugins(tmp_path / "plugins")
    expected = scores(SmallRun(plain, ("constant", "llpr"), plugins).execute(copper))
    with plugins[0].open("a") as file:
        file.write(FAILING)
    more = {"store": FsspecStore(str(tmp_path / "store"))}
    local = fsspec.get_filesystem_class("file")
    for name in ("cat_file", "pipe_file", "put_file", "get_file", "mv", "find", "exists"):
        # As it is now, to be so again after this test: the plugin changes it here, too.
        monkeypatch.setattr(local, name, getattr(local, name))
    monkeypatch.setenv("SHARE", share)
    for attempt in ("one", "two"):
        run = SmallRun(tmp_path / attempt, ("constant", "llpr"), plugins, more=more)
        assert scores(run.execute(copper)) == expected
        assert run.said.notes or share != "1.0"
    monkeypatch.setenv("SHARE", "0")
    well = SmallRun(tmp_path / "well", ("constant", "llpr"), plugins, more=more)
    assert scores(well.execute(copper)) == expected
    last = SmallRun(tmp_path / "last", ("constant", "llpr"), plugins, more=more)
    assert scores(last.execute(copper)) == expected
    assert set(last.said.outcomes.values()) == {"stored"}


def test_no_credentials_enter_a_record(copper, tmp_path, s3):
    run = SmallRun(
        tmp_path,
        ("constant",),
        write_plugins(tmp_path / "plugins"),
        more={"store": FsspecStore(f"{s3}/records")},
    )
    run.execute(copper)
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"planted-secret" not in path.read_bytes()
    assert any(name.startswith("records/") for name in FsspecStore(f"{s3}/records").list("records/"))
