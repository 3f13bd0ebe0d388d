"""kill -9 of the run, of workers and of the scheduler at random moments: it ends as if nothing had been."""

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress

import psutil
import pytest
from faults.command_runs import add_method, command, environment, hidden, make_place, results

from uqbench.report.evidence import load_evidence

pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")

LIMIT = 300.0
"""Seconds that a process of these tests may take at most; nothing asserts on how many it takes."""
METHODS = ("constant", "llpr", "bootstrap", "bayesian_linear")
VICTIMS = {"--jobs": ("run", "worker"), "--scheduler": ("run", "worker", "scheduler")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="module")
def whole(place):
    """Results of a run in order that nobody disturbs."""
    start(command(place, place / "whole", methods=METHODS), place).check(0)
    return results(place / "whole")


def wait_until(true):
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class start:
    """A process, and what it said so far."""

    def __init__(self, arguments, place):
        self.said = ""
        self.process = subprocess.Popen(
            arguments,
            env=environment(place, DASK_DISTRIBUTED__WORKER__DAEMON="False"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=place,
        )
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self):
        for line in self.process.stdout:
            self.said += line

    def check(self, *codes):
        """Wait for the end, which is one of these exit codes and no traceback."""
        self.process.wait(LIMIT)
        self.listener.join(LIMIT)
        assert self.process.returncode in codes, self.said
        assert "Traceback" not in self.said

    def workers(self):
        """Processes of workers, if this one starts such."""
        try:
            children = psutil.Process(self.process.pid).children()
            return [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        except psutil.NoSuchProcess:
            return []

    def end(self):
        if self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for one in family:
                if one.is_running():
                    one.kill()
        self.process.wait(LIMIT)
        self.listener.join(LIMIT)


class Services:
    """A scheduler and two workers as users start them, in folder where."""

    def __init__(self, place, where):
        where.mkdir()
        self.place, self.where, self.file = place, where, where / "scheduler.json"
        self.scheduler = self._dask("scheduler", "--port", "0")
        wait_until(lambda: self.file.exists() and "tcp://" in self.file.read_text())
        self.worker = self.hire()

    def _dask(self, *arguments):
        local = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(self.file))
        return start([sys.executable, "-m", "dask", *arguments, *local], self.place)

    def hire(self):
        """Two workers."""
        return self._dask(
            "worker", "--nworkers", "2", "--nthreads", "1", "--local-directory", str(self.where)
        )

    @property
    def options(self):
        """Of a run that uses them."""
        return "--scheduler", next(w for w in self.file.read_text().split('"') if w.startswith("tcp://"))

    def keep(self, run):
        """Workers there until the run ends; `dask worker` gives up if one is killed as it starts."""
        deadline = time.monotonic() + LIMIT
        while run.process.poll() is None and time.monotonic() < deadline:
            if self.worker.process.poll() is not None and self.scheduler.process.poll() is None:
                self.worker.end()
                self.worker = self.hire()
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.worker.end()
        self.scheduler.end()


def hit(place, out, where, option, rng):
    """A run, and a kill at some moment of it; 0 if it was over before."""
    with Services(place, where) if option == "--scheduler" else nullcontext() as services:
        options = services.options if services else ("--jobs", "2")
        run = start(command(place, out, *options, methods=METHODS), place)
        # It says when the first fit is done; what comes before takes as long.
        began = time.monotonic()
        time.sleep(rng.uniform(0.0, 9.0))
        victim = rng.choice(VICTIMS[option])
        print(f"{option} {victim} after {time.monotonic() - began:.1f} s")
        alive, hits = run.process.poll() is None, 0
        # What is to be killed may end of itself in this moment.
        with suppress(psutil.NoSuchProcess):
            if victim == "worker":
                pids = [worker.pid for worker in (services.worker if services else run).workers()]
            else:
                pids = [(run if victim == "run" else services.scheduler).process.pid]
            if pids:
                psutil.Process(rng.choice(pids)).kill()
                hits = int(alive)
        try:
            if services:
                services.keep(run)
            run.check(*{"run": (0, -signal.SIGKILL), "worker": (0, 2), "scheduler": (0, 2)}[victim])
            if run.process.returncode == 2:
                # A worker that was killed as it started ends the run, but no other does.
                assert {"scheduler": "scheduler", "worker": "could not be started"}[victim] in run.said
        finally:
            run.end()
    return hits


def disturb(place, whole, tmp_path, kills, seed):
    """Stories of up to three kills and a run that ends, until there were so many kills."""
    rng = random.Random(seed)
    done = stories = 0
    while done < kills:
        out = tmp_path / f"out {stories}"
        for number in range(rng.randint(1, 3)):
            option = rng.choice(sorted(VICTIMS))
            done += hit(place, out, tmp_path / f"services {stories} {number}", option, rng)
        start(command(place, out, methods=METHODS), place).check(0)
        assert results(out) == whole
        assert hidden(out) == []
        assert not load_evidence(out / "records").problems
        stories += 1


def test_killed_runs_workers_and_schedulers(place, whole, tmp_path):
    disturb(place, whole, tmp_path, kills=2, seed=3)


@pytest.fixture
def waiting(place, tmp_path):
    """Services, and a run on them whose fit has begun and waits for the file `go`."""
    begun, go = tmp_path / "begun", tmp_path / "go"
    body = f"""
open({str(begun)!r}, "w").close()
while not os.path.exists({str(go)!r}):
    time.sleep(0.05)
return good()
"""
    methods = (add_method(place, f"waits_{tmp_path.name}", body),)
    with Services(place, tmp_path / "services") as services:
        run = start(command(place, tmp_path / "out", *services.options, methods=methods), place)
        try:
            wait_until(begun.exists)
            yield services, run, go
        finally:
            go.touch()
            run.end()


def test_a_scheduler_that_dies_under_a_run_is_told_in_a_sentence(waiting):
    """Without the traceback that Dask's client logs."""
    services, run, _ = waiting
    services.scheduler.process.kill()
    run.check(2)
    assert "the Dask scheduler is gone" in run.said


def test_a_scheduler_that_dies_before_there_is_a_worker_is_told_in_a_sentence(place, tmp_path):
    with Services(place, tmp_path / "services") as services:
        services.worker.end()
        run = start(command(place, tmp_path / "out", *services.options, methods=METHODS), place)
        try:
            wait_until(lambda: "waiting for the first" in run.said)
            services.scheduler.process.kill()
            run.check(2)
            assert "the Dask scheduler is gone" in run.said
        finally:
            run.end()


def test_a_run_whose_workers_have_all_gone_says_so_and_goes_on_with_new_ones(waiting):
    services, run, go = waiting
    services.worker.end()
    wait_until(lambda: "there are no workers now" in run.said)
    go.touch()
    services.worker = services.hire()
    run.check(0)
    assert "[1/1]" in run.said
    assert "ok (" in run.said


@pytest.mark.slow
def test_fifty_kills_of_runs_workers_and_schedulers(place, whole, tmp_path):
    disturb(place, whole, tmp_path, kills=50, seed=4)
