"""Records are known again by the checksum of every byte: what was altered, cut or belongs elsewhere is run anew."""

import json

import pytest
from cluster.small_runs import SmallRun, write_plugins

from uqbench.suite.graph import Layout
from uqbench.suite.recognise import FILE, Known


@pytest.fixture(scope="module")
def finished(copper, tmp_path_factory):
    """A run with its records, its jobs, and what their files hold."""
    folder = tmp_path_factory.mktemp("finished")
    run = SmallRun(folder, ("constant",), write_plugins(folder / "plugins"))
    run.execute(copper)
    layout = Layout(run.settings, run.registry, run.load, lambda text: None)
    node = layout.node(1, run.plan(copper)[0])
    content = {path: path.read_bytes() for path in run.settings.records.iterdir()}
    return run, node.job, content


@pytest.fixture
def job(finished):
    _, job, content = finished
    yield job
    for path, whole in content.items():
        path.write_bytes(whole)


def path_of(job, suffix):
    return job.records / f"{job.fit.cell('forces').file_stem}{suffix}"


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


def unknown_field(content):
    return json.dumps(json.loads(content) | {"strange": 1}).encode()


def foreign(content):
    return json.dumps(json.loads(content) | {"content_key": "0" * 64}).encode()


def failed(content):
    return json.dumps(json.loads(content) | {"status": "failed"}).encode()


def elsewhere(content):
    record = json.loads(content)
    return json.dumps(record | {"raw": record["raw"] | {"file": "../other.npz"}}).encode()


@pytest.mark.parametrize("index", [True, False], ids=["known", "first time"])
@pytest.mark.parametrize(
    ("suffix", "change"),
    [(".json", c) for c in (cut, unknown_field, foreign, failed, elsewhere)]
    + [(".npz", cut), (".npz", flip)],
)
def test_what_is_not_whole_is_not_known(finished, job, suffix, change, index, tmp_path):
    file = finished[0].settings.out / FILE if index else tmp_path / FILE
    assert Known(file).stored(job) == {"forces"}
    path = path_of(job, suffix)
    path.write_bytes(change(path.read_bytes()))
    assert Known(file).stored(job) == set()
    # Nor after it was looked at before.
    assert Known(file).stored(job) == set()


def test_what_is_missing_is_not_known(job, tmp_path):
    path_of(job, ".npz").unlink()
    assert Known(tmp_path / FILE).stored(job) == set()


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0", b"a b ok -\n", b"x" * 64 + b" " + b"y" * 64 + b" ok"]
)
def test_a_damaged_list_costs_time_alone(job, tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    assert Known(tmp_path / FILE).stored(job) == {"forces"}
    assert len(Known(tmp_path / FILE)._entries) == 1
