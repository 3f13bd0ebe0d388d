"""Records: nothing computed twice, nothing half-written, nothing mixed up."""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from dft_parts import CountingEngine, silicon

from tools.dft.laboratory import Laboratory, OutOfTime, alone_in
from tools.dft.pwscf_output import CalculationFailed
from tools.dft.record import read_record
from uqbench.errors import UqbenchError


@pytest.fixture
def engine():
    return CountingEngine()


@pytest.fixture
def laboratory(tmp_path, engine):
    return Laboratory(tmp_path / "records", engine, cores=2, say=lambda line: None)


def test_nothing_is_computed_twice(laboratory, engine):
    calculations = [silicon(f"si_{i}", shift=0.01 * i) for i in range(5)]
    first = laboratory.good(calculations[:3])
    both = laboratory.good(calculations)
    assert sorted(engine.asked) == [c.name for c in calculations]
    assert both[:3] == first
    assert [r.name for r in both] == [c.name for c in calculations]


def test_a_record_says_what_was_computed_and_how_well(laboratory):
    calculation = silicon()
    laboratory.one(calculation)
    stored = json.loads((laboratory.records / "si_x.json").read_text())
    assert stored["inputs"] == calculation.inputs
    asked_for = {
        "energy",
        "forces",
        "stress",
        "accuracy",
        "iterations",
        "seconds",
        "cell",
        "positions",
        "mesh",
    }
    assert asked_for <= set(stored)


def test_a_half_written_record_is_computed_again(laboratory, engine):
    path = laboratory.records / "si_x.json"
    whole = laboratory.one(silicon())
    text = path.read_text()
    for length in (0, 1, len(text) // 2, len(text) - 3):
        path.write_text(text[:length])
        assert laboratory.one(silicon()) == whole
    assert len(engine.asked) == 5
    assert path.read_text() == text
    assert [p.name for p in laboratory.records.iterdir()] == ["si_x.json"]


def test_a_run_that_dies_leaves_no_record(laboratory, monkeypatch):
    def dies(self, calculation):
        raise KeyboardInterrupt

    monkeypatch.setattr(CountingEngine, "compute", dies)
    with pytest.raises(KeyboardInterrupt):
        laboratory.one(silicon())
    assert not list(laboratory.records.glob("*"))


def test_a_record_of_other_inputs_is_an_error(laboratory):
    laboratory.one(silicon(shift=0.0))
    with pytest.raises(UqbenchError, match=r"si_x\.json.*other inputs"):
        laboratory.one(silicon(shift=0.02))


def test_a_failure_is_kept_and_stops_a_property_not_a_pool(laboratory, monkeypatch):
    asked = []

    def fails(self, calculation):
        asked.append(calculation.name)
        raise CalculationFailed(f"{calculation.name}: no convergence.")

    monkeypatch.setattr(CountingEngine, "compute", fails)
    (record,) = laboratory.all([silicon()])
    assert record.status == "failed"
    assert math.isnan(record.energy)
    with pytest.raises(UqbenchError, match=r"no convergence.*Remove the record"):
        laboratory.one(silicon())
    assert asked == ["si_x"]
    stored = read_record(laboratory.records / "si_x.json")
    assert stored is not None
    assert stored.error == "si_x: no convergence."


def test_two_that_ask_share_the_cores(laboratory, monkeypatch):
    """Relaxations beside the pool: never more at a time than cores, and all of them used."""
    busy, most = [], []

    def counts(self, calculation):
        busy.append(calculation.name)
        most.append(len(busy))
        time.sleep(0.02)
        busy.remove(calculation.name)
        return compute(self, calculation)

    compute = CountingEngine.compute
    monkeypatch.setattr(CountingEngine, "compute", counts)
    lists = [[silicon(f"si_{who}{i}", shift=0.01 * i) for i in range(4)] for who in "ab"]
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(laboratory.good, lists))
    assert [[r.name for r in records] for records in found] == [[c.name for c in some] for some in lists]
    assert max(most) == laboratory.cores


def test_after_the_deadline_nothing_is_started(tmp_path, engine):
    late = Laboratory(tmp_path, engine, cores=1, deadline=0.0, say=lambda line: None)
    with pytest.raises(OutOfTime):
        late.all([silicon()])
    assert engine.asked == []


def test_one_run_at_a_time_in_a_folder(tmp_path):
    with alone_in(tmp_path), pytest.raises(UqbenchError, match="another run"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def test_json_that_is_no_record_is_an_error(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"name": "x"}')
    with pytest.raises(UqbenchError, match="group"):
        read_record(path)
