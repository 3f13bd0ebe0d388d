"""Predictions that a user brings: both kinds of file give the scores of the same numbers, mistakes are named."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from uqbench.cli import main
from uqbench.errors import UqbenchError
from uqbench.suite.brought import read_brought
from uqbench.suite.scoring import score_tables


def numbers(n=60, seed=0):
    rng = np.random.default_rng(seed)
    std = rng.uniform(0.5, 2.0, n)
    mean = rng.standard_normal(n)
    return {
        "energy_mean": mean,
        "energy_std": std,
        "energy_observed": mean + 2 * std * rng.standard_normal(n),
    }


def save(path, arrays):
    np.savez(path, **arrays)
    return path


def structures(path, members=0, seed=0):
    """Dimers of different length with energies, forces along the bond and predictions of both."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(30):
        atoms = Atoms("CO", positions=[[0, 0, 0], [1.1 + 0.02 * i, 0.3, 0.1]])
        forces, error = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-10.0 + i, forces=forces)
        atoms.arrays["forces_mean"] = forces + error
        atoms.arrays["forces_std"] = np.full((2, 3), 1.0 + 0.1 * i)
        atoms.info["energy_mean"] = -10.0 + i + 0.2 * rng.standard_normal()
        atoms.info["energy_std"] = 0.2
        if members:
            drawn = atoms.arrays["forces_mean"][:, None] + rng.standard_normal((2, members, 3))
            atoms.arrays["forces_samples"] = drawn.reshape(2, -1)
        frames.append(atoms)
    write(path, frames, format="extxyz")
    return frames


def test_an_archive_is_scored_raw_and_calibrated(tmp_path):
    test, calibration = save(tmp_path / "t.npz", numbers()), save(tmp_path / "c.npz", numbers(300, seed=1))
    found = score_tables(read_brought(test, calibration, None, None))["scores"]
    assert found["raw"]["test"]["energy"]["coverage_95"]["value"] < 0.8
    assert found["calibrated"]["test"]["energy"]["coverage_95"]["value"] > 0.85
    assert found["raw"]["test"]["energy"]["n_clusters"]["value"] == 60


def test_any_quantity_can_be_brought_with_clusters(tmp_path):
    arrays = {k.replace("energy", "vacancy"): v for k, v in numbers().items()}
    arrays |= {"vacancy_cluster": np.repeat(np.arange(20), 3), "vacancy_unit": np.array("eV")}
    tables = read_brought(save(tmp_path / "t.npz", arrays), None, None, None)
    assert str(tables["vacancy"].unit) == "eV"
    assert score_tables(tables)["scores"]["raw"]["test"]["vacancy"]["n_clusters"]["value"] == 20


def test_structures_give_energies_per_atom_and_forces_in_order(tmp_path):
    frames = structures(tmp_path / "p.xyz")
    tables = read_brought(tmp_path / "p.xyz", None, None, None)
    np.testing.assert_allclose(tables["energy"].mean, [f.info["energy_mean"] / 2 for f in frames], rtol=1e-6)
    np.testing.assert_allclose(tables["energy"].std, 0.1, rtol=1e-6)
    expected = np.concatenate([f.arrays["forces_mean"].ravel() for f in frames])
    np.testing.assert_allclose(tables["forces"].mean, expected, atol=1e-7)
    assert len(tables["forces"].std) == 180


def test_members_of_forces_are_told_apart_from_components(tmp_path):
    frames = structures(tmp_path / "p.xyz", members=7)
    table = read_brought(tmp_path / "p.xyz", None, None, None)["forces"]
    spread = np.concatenate(
        [f.arrays["forces_samples"].reshape(2, 7, 3).std(axis=1, ddof=1).ravel() for f in frames]
    )
    assert set(table.rule) == {"student"}
    half = (table.level_upper[-1] - table.level_lower[-1]) / 2
    np.testing.assert_allclose(half / spread, 2.446912 * np.sqrt(8 / 7), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy_observed": None}, "energy_observed .the labels. is not"),
        ({"energy_std": None}, "only a mean is there"),
        ({"energy_std": np.full(60, np.nan)}, r"Prediction.std is nan at index .0,."),
        ({"energy_std": np.ones(59)}, r"Prediction.std has shape .59,.; .60,. is needed"),
        ({"energy_observed": np.ones(59)}, "energy_observed has shape"),
        ({"energy_observed": np.full(60, np.inf)}, "not finite"),
        ({"energy_lower": np.zeros(60), "energy_upper": np.ones(60)}, "say with --nominal"),
        ({"energy_mean": None}, "no array is named KIND_mean"),
    ],
)
def test_mistakes_in_an_archive_are_named(tmp_path, change, message):
    arrays = {k: v for k, v in (numbers() | change).items() if v is not None}
    with pytest.raises(UqbenchError, match=message):
        read_brought(save(tmp_path / "t.npz", arrays), None, None, None)


def test_pickles_and_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", energy_mean=np.array([{}], dtype=object))
    (tmp_path / "x.npz").write_bytes(b"not an archive")
    for name in ("p.npz", "x.npz"):
        with pytest.raises(UqbenchError, match="not a NumPy archive of plain arrays"):
            read_brought(tmp_path / name, None, None, None)
    with pytest.raises(UqbenchError, match="no such file"):
        read_brought(tmp_path / "none.npz", None, None, None)


def test_structures_without_predictions_are_refused(tmp_path):
    frames = structures(tmp_path / "p.xyz")
    for atoms in frames:
        atoms.info.clear()
        for name in ("forces_mean", "forces_std"):
            del atoms.arrays[name]
    write(tmp_path / "q.xyz", frames, format="extxyz")
    with pytest.raises(UqbenchError, match="no predictions are there"):
        read_brought(tmp_path / "q.xyz", None, None, None)


def test_the_command_prints_and_writes(tmp_path, capsys):
    file = save(tmp_path / "t.npz", numbers())
    assert main(["score", str(file), "--json", str(tmp_path / "s.json")]) == 0
    assert "coverage_95" in capsys.readouterr().out
    assert "energy" in json.loads((tmp_path / "s.json").read_text())["scores"]["raw"]["test"]
    assert main(["score", str(tmp_path / "none.npz")]) == 2
