"""A user's own calculators in a run: identity in key and record, properties, errors, killed and repeated runs."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from committees import copper_gold, write_module
from scipy.stats import t as student

from uqbench.api import CommitteeMethod
from uqbench.cli import main
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.suite.config import Suite
from uqbench.suite.plan import make_plan
from uqbench.suite.run import plan_suite


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("committee")
    write_module(folder)
    copper_gold(folder / "alloy.xyz")
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch):
    """Pages and figures are another folder's tests, and take most of a run's time."""
    monkeypatch.setattr("uqbench.report.leaderboard.write_report", lambda records, out: out / "none")


def arguments(place, out, function, *more, dataset=None):
    return [
        *("run", "--dataset", str(dataset or place / "alloy.xyz"), "--out", str(out), "--device", "cpu"),
        *("--calculators", f"{place / 'committee.py'}:{function}", "--task", "forces", *more),
    ]


def records(out):
    found = [json.loads(p.read_text()) for p in sorted((out / "records").glob("*.json"))]
    return {r["cell"]["task"]: r for r in found}


def raw(out, record):
    return dict(np.load(out / "records" / record["raw"]["file"]))


@pytest.fixture(scope="module")
def scored(place, tmp_path_factory):
    """Output folder, what was printed, and record of an undisturbed run."""
    out = tmp_path_factory.mktemp("scored")
    done = subprocess.run(
        [sys.executable, "-m", "uqbench", *arguments(place, out, "members")],
        env={**os.environ, "UQBENCH_CACHE": str(out / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout, records(out)["forces"]


def test_a_committee_is_scored_without_training(scored):
    out, shown, record = scored
    assert "calculators:source=committee.py:members" in shown
    assert record["cell"]["method"] == "external"
    assert record["cell"]["backbone"] == "calculators:source=committee.py:members"
    assert set(record["scores"]["raw"]["test"]) == {"energy", "forces", "stress"}
    assert "forces" in record["scores"]["calibrated"]["test"]
    for fold in record["facts"]:
        assert fold["members"] == 3.0
        assert len(fold["source committee.py:members"]) == len("sha256 ") + 64
        # The second member's zero is 500 eV an atom too high, the third's 3 too low.
        assert fold["member_1_offset_Cu"] == pytest.approx(fold["member_0_offset_Cu"] - 500, abs=0.5)
        assert fold["member_2_offset_Au"] == pytest.approx(fold["member_0_offset_Au"] + 3, abs=0.5)
    cost = record["cost"]
    assert 1.5 < cost["predict"]["ratio_to_bare"] < 6.0
    assert all(fit["cpu_s"] > 0 for fit in cost["fit"])
    assert cost["train_total_cpu_s"] >= sum(fit["cpu_s"] for fit in cost["fit"])
    assert set(np.unique(raw(out, record)["forces.rule"])) == {"student"}
    page = (out / "README.md").read_text()
    assert "--backbone calculators:source=committee.py:members --method external" in page


def test_scores_do_not_see_the_zeros(scored, place, tmp_path):
    """The same committee with and without zeros of its own: the same scores, of energies to rounding."""
    assert main(arguments(place, tmp_path, "alike")) == 0
    found = {"members": scored[2]["scores"], "alike": records(tmp_path)["forces"]["scores"]}
    for kind, tolerance in (("forces", 1e-9), ("stress", 1e-9), ("energy", 1e-6)):
        one, other = (found[f]["calibrated"]["test"][kind] for f in ("members", "alike"))
        assert one.keys() == other.keys()
        for name in one:
            assert one[name]["value"] == pytest.approx(other[name]["value"], rel=tolerance, abs=1e-9), name


def test_a_second_run_is_stored_and_a_changed_module_is_run_anew(place, tmp_path, capsys):
    module = tmp_path / "committee.py"
    module.write_text((place / "committee.py").read_text())
    out = tmp_path / "out"
    command = arguments(tmp_path, out, "alike", dataset=place / "alloy.xyz")
    assert main(command) == 0
    before = records(out)["forces"]
    capsys.readouterr()
    assert main(command) == 0
    assert "stored" in capsys.readouterr().out
    assert records(out)["forces"]["created"] == before["created"]
    module.write_text(module.read_text().replace("Other(0.97)", "Other(0.9)"))
    assert main(command) == 0
    after = records(out)["forces"]
    assert after["cell_id"] == before["cell_id"]
    assert after["content_key"] != before["content_key"]
    assert after["raw"]["sha256"] != before["raw"]["sha256"]


def test_a_killed_run_ends_as_an_undisturbed_one(scored, place, tmp_path):
    broken = tmp_path / "broken"
    process = subprocess.Popen(
        [sys.executable, "-m", "uqbench", *arguments(place, broken, "members")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    deadline = time.monotonic() + 60.0
    while not list((broken / "logs").glob("*.log")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((broken / "logs").glob("*.log"))
    assert main(arguments(place, broken, "members")) == 0
    one, other = scored[2], records(broken)["forces"]
    assert one["scores"] == other["scores"]
    assert one["raw"]["sha256"] == other["raw"]["sha256"]
    assert one["facts"] == other["facts"]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("one", "committee.py:one: one calculator came of it; a spread needs two calculators at least"),
        ("none", "no calculator came of it"),
        ("number", "returned int; a list of ASE calculators is needed"),
        ("text", "entry 0 of what it returned is of type str, not an ASE calculator"),
        ("same", "the same calculator object comes several times"),
        ("fails", "committee.py:fails fails: OSError: no licence"),
        ("membrs", "no function is called 'membrs'. Did you mean members"),
        ("mixed", "calculator 0 (Other) gives a stress and calculator 1 (Stressless) gives none"),
        ("picky", "calculator 1 (Picky) fails: ValueError: too large a cell"),
        ("endless", "calculator 1 (Endless) gives energy that is not finite"),
    ],
)
def test_what_goes_wrong_is_a_sentence_in_the_record(place, tmp_path, function, words):
    assert main(arguments(place, tmp_path / "out", function)) == 1
    record = records(tmp_path / "out")["forces"]
    assert record["status"] == "failed"
    assert words in record["failure"]["reason"]
    if function in ("mixed", "picky", "endless"):
        assert "alloy.xyz, frame" in record["failure"]["reason"]
    if function == "fails":
        assert "in fails" in record["failure"]["traceback"]


def test_an_element_that_a_calculator_does_not_know_is_named(place, tmp_path):
    from ase.io import read, write

    frames = read(place / "alloy.xyz", ":")
    for atoms in frames[::3]:
        atoms.symbols[3] = "Fe"
    write(tmp_path / "iron.xyz", frames)
    assert main(arguments(place, tmp_path / "out", "alike", dataset=tmp_path / "iron.xyz")) == 1
    reason = records(tmp_path / "out")["forces"]["failure"]["reason"]
    assert "iron.xyz, frame" in reason
    assert "calculator 0 (Other) fails: NotImplementedError: No EMT-potential for Fe" in reason


def test_without_stress_energies_and_forces_are_scored(place, tmp_path):
    assert main(arguments(place, tmp_path / "out", "stressless")) == 0
    assert set(records(tmp_path / "out")["forces"]["scores"]["raw"]["test"]) == {"energy", "forces"}


def test_a_suite_file_names_a_committee(place, tmp_path, monkeypatch, capsys):
    """A module on Python's path, in a list, and the suite that a run writes."""
    monkeypatch.syspath_prepend(str(place))
    (tmp_path / "suite.yaml").write_text(
        f"datasets: [{place / 'alloy.xyz'}]\ntasks: [forces]\nmethods: [external]\ndevices: [cpu]\n"
        "backbones:\n- calculators: {source: ['committee:alike']}\n"
    )
    out = tmp_path / "out"
    for suite in (tmp_path / "suite.yaml", out / "suite.yaml"):
        assert main(["run", "--out", str(out), "--suite", str(suite)]) == 0
    assert "stored" in capsys.readouterr().out
    assert records(out)["forces"]["cell"]["backbone"] == "calculators:source=committee:alike"


def test_committees_run_only_where_they_are_named():
    registry = discover()
    assert issubclass(registry.methods["external"], CommitteeMethod)
    with pytest.raises(UqbenchError, match="name yours with --calculators"):
        plan_suite(Suite(methods=("external",), backbones=("snap",)), registry)
    named = {"calculators": {"source": ("ase.build:bulk",)}}
    plan = make_plan(Suite(backbones=(named,)), registry, ("cpu",), lambda name: {})
    assert {fit.method.name for fit in plan} == {"external"}
    plan = make_plan(Suite(backbones=("snap",)), registry, ("cpu",), lambda name: {})
    assert "external" not in {fit.method.name for fit in plan}


def test_linear_methods_are_not_applicable_to_finished_potentials(place, tmp_path):
    assert main(arguments(place, tmp_path / "out", "alike", "--method", "constant")) == 0
    record = records(tmp_path / "out")["forces"]
    assert record["status"] == "not applicable"
    assert "use --method external" in record["failure"]["reason"]


def test_properties_are_those_of_the_members_one_by_one(place, tmp_path):
    """Vacancy energies of aluminium against the calculators themselves; bounds against Student's t by hand."""
    out = tmp_path / "out"
    assert main(arguments(place, out, "members", "--task", "vacancy", "elastic", dataset="al")) == 0
    found = records(out)
    assert {r["status"] for r in found.values()} == {"ok"}
    parts = {(p["name"], p["variant"]): p for p in found["vacancy"]["properties"]}
    part = parts["vacancy_formation_energy_unrelaxed_at_reference_a", "raw"]
    own = [formation_energy(calculator) for calculator in three_members(place)]
    assert part["value"] == pytest.approx(np.mean(own), abs=1e-6)
    half = student.ppf(0.975, 2) * np.std(own, ddof=1) * np.sqrt(1 + 1 / 3)
    assert part["upper"] - part["value"] == pytest.approx(half, rel=1e-5)
    assert part["counts"]["samples"] == 3
    assert part["route"] == "resampling of members"
    names = {p["name"] for p in found["elastic"]["properties"]}
    assert {"C11", "C12", "C44", "bulk_modulus"} <= names


def three_members(place):
    from uqbench.backbones.calculators.sources import made_by

    return made_by(f"{place / 'committee.py'}:members")


def formation_energy(calculator):
    """Unrelaxed, 32 sites, at the reference's lattice constant: E(31) - 31/32 E(32), in ASE alone."""
    from ase.build import bulk

    perfect = bulk("Al", cubic=True, a=4.0414).repeat(2)
    vacancy = perfect.copy()
    del vacancy[0]
    energies = []
    for atoms in (vacancy, perfect):
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
    return energies[0] - 31 / 32 * energies[1]
