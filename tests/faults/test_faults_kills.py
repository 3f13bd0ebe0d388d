"""kill -9 of the run or of a fit at random moments: the same command ends with the records of an undisturbed run."""

import random
import signal
import subprocess
import time

import psutil
import pytest
from faults.command_runs import add_method, command, environment, hidden, make_place, records, results, run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="module")
def whole(place):
    """Results of a run that nobody disturbs, and the seconds it took."""
    run(place, place / "warm")
    began = time.monotonic()
    assert run(place, place / "whole").returncode == 0
    return results(place / "whole"), time.monotonic() - began


def hit(place, out, moment, victim, scratch):
    """Start a run and kill it, or its fit if there is one at that moment; 0 if the run was over."""
    process = subprocess.Popen(
        command(place, out),
        env=environment(place, TMPDIR=str(scratch)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=place,
    )
    time.sleep(moment)
    victims = [psutil.Process(process.pid)] if process.poll() is None else []
    if victims and victim == "fit":
        # Fits are children of the server that forks them.
        servers = [c for c in victims[0].children() if "forkserver" in str(c.cmdline())]
        victims = [fit for server in servers for fit in server.children()] or victims
    for one in victims[:1]:
        one.kill()
    if not victims:
        ends = (0,)
    elif victims[0].pid == process.pid:
        ends = (-signal.SIGKILL,)
    else:
        ends = (0, 1)
    assert process.wait() in ends
    return len(victims[:1])


def disturb(place, whole, folders, kills, seed):
    """Stories of a few kills and an end, until there were so many kills; each ends as if nothing had been."""
    expected, seconds = whole
    rng = random.Random(seed)
    done = stories = 0
    while done < kills:
        # The names of sockets in the folder for temporary files may not be long.
        out, scratch = folders.mktemp("out"), folders.mktemp("s")
        for _ in range(rng.randint(1, 4)):
            moment, victim = rng.uniform(0.1, 1.0) * seconds, rng.choice(("run", "fit"))
            done += hit(place, out, moment, victim, scratch)
        last = run(place, out)
        assert last.returncode == 0, last.stdout + last.stderr
        assert results(out) == expected
        assert hidden(out) == []
        stories += 1
    return stories


def test_killed_runs_end_as_undisturbed_ones(place, whole, tmp_path_factory):
    disturb(place, whole, tmp_path_factory, kills=5, seed=1)


@pytest.mark.slow
def test_fifty_kills(place, whole, tmp_path_factory):
    disturb(place, whole, tmp_path_factory, kills=50, seed=2)


def test_a_killed_fit_is_a_failure_that_is_tried_again(place, tmp_path):
    """The run goes on without it, says so, and the next one makes up for it."""
    body = "open('there','w').close()\nif not os.path.exists('again'):\n    time.sleep(60)\nreturn good()"
    add_method(place, "waits", body)
    methods, out = ("waits", "constant"), tmp_path / "out"
    process = subprocess.Popen(
        command(place, out, methods=methods), env=environment(place), cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    while not (tmp_path / "there").exists():
        time.sleep(0.05)
        assert process.poll() is None
    (fit,) = [f for child in psutil.Process(process.pid).children() for f in child.children()]
    fit.kill()
    assert process.wait(60) == 1
    found = records(out)
    assert "SIGKILL" in found["waits"]["failure"]["reason"]
    assert found["constant"]["status"] == "ok"
    (tmp_path / "again").touch()
    assert run(place, out, methods=methods, cwd=tmp_path).returncode == 0
    assert records(out)["waits"]["status"] == "ok"


def test_what_a_killed_run_leaves_in_the_system_is_gone(place, tmp_path, tmp_path_factory):
    """Its fit ends too, with its folder of temporary files and what it had started."""

    # The names of sockets in it may not be long.
    scratch = tmp_path_factory.mktemp("s")
    body = (
        "child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "print('x', file=open('child', 'w'))\n"
        "open('child', 'w').write(str(child.pid))\n"
        "os.rename('child', 'pid')\ntime.sleep(60)\nreturn good()"
    )
    add_method(place, "starts", body)
    process = subprocess.Popen(
        command(place, tmp_path / "out", methods=("starts",)),
        env=environment(place, TMPDIR=str(scratch)),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    while not (tmp_path / "pid").exists():
        time.sleep(0.05)
        assert process.poll() is None
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    assert list(scratch.glob("uqbench-*"))
    process.kill()
    process.wait()
    gone, alive = psutil.wait_procs([child], timeout=20)
    assert gone
    assert not alive
    deadline = time.monotonic() + 20
    while list(scratch.glob("uqbench-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not list(scratch.glob("uqbench-*"))
