"""Cost accounting: what is timed, what is counted, and nothing that depends on how fast this machine is."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from dense_problems import dense_problem

from uqbench.cost.contention import OtherLoad
from uqbench.cost.machine import describe_machine, describe_software, machine_class
from uqbench.cost.memory import peak_resident_bytes, stored_bytes
from uqbench.cost.timing import interleaved, stopwatch
from uqbench_methods.bayesian_linear import BayesianLinear
from uqbench_methods.pops import Pops


def test_interleaving_warms_up_and_takes_turns():
    calls = []
    times = interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=4, budget=60
    )
    assert "".join(calls) == "ab" * 5
    assert len(times["a"].seconds) == len(times["b"].seconds) == 4


def test_a_spent_budget_still_leaves_three_rounds():
    times = interleaved({"a": lambda: time.sleep(0.01)}, repeats=50, budget=0.0)
    assert len(times["a"].seconds) == 3


def test_the_device_is_waited_for_before_each_reading():
    order = []
    with stopwatch(lambda: order.append("wait")):
        order.append("work")
    assert order == ["wait", "work", "wait"]


def test_waiting_is_wall_time_and_not_processor_time():
    with stopwatch() as elapsed:
        time.sleep(0.05)
    assert elapsed.wall >= 0.05
    assert elapsed.cpu < elapsed.wall


def test_medians_and_quartiles():
    times = interleaved({"a": lambda: None}, repeats=5, budget=60)["a"]
    low, high = times.quartiles
    assert low <= times.median <= high


def test_what_a_posterior_keeps_is_counted(misspecified):
    rows, labels = misspecified
    problem = dense_problem({"forces": rows}, {"forces": labels})
    rng = np.random.default_rng(0)
    gaussian = BayesianLinear().fit(problem, rng)
    assert stored_bytes(gaussian) == 8 * (8 + 64)
    ensemble = Pops(posterior="ensemble").fit(problem, rng)
    assert stored_bytes(ensemble) > rows.nbytes


def test_peak_memory_sees_an_allocation():
    code = (
        "import numpy as np; from uqbench.cost.memory import peak_resident_bytes as peak;"
        "before = peak(); x = np.ones(25_000_000); print(peak() - before)"
    )
    grown = int(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )
    assert 180e6 < grown < 260e6
    assert peak_resident_bytes() > 10e6


def test_the_load_of_others_is_told_from_ones_own():
    """A second process that spins is other load; spinning oneself is not."""

    def spin(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def load_while(work):
        load = OtherLoad()
        work(0.5)
        return load.cores()

    # Something else may run on this machine, and begin or end meanwhile.
    own = min(load_while(spin) - load_while(time.sleep) for _ in range(5))
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        busy = OtherLoad()
        time.sleep(1.0)
        beside = busy.cores()
    finally:
        other.kill()
        other.wait()
    assert beside > 0.5
    assert own < 0.3


def test_the_machine_is_described_in_plain_json_and_names_no_host():
    import platform

    machine = describe_machine()
    text = json.dumps(machine)
    assert machine["cores"] >= 1
    assert platform.node() not in text or not platform.node()
    assert machine_class(machine, "cpu").endswith("cores")
    assert "numpy" in describe_software()


@pytest.mark.parametrize(("gpu", "expected"), [({"name": "H200"}, "H200"), (None, "a processor, 4 cores")])
def test_a_gpu_names_its_own_machine_class(gpu, expected):
    assert machine_class({"cpu": "a processor", "cores": 4, "gpu": gpu}, "cuda") == expected
