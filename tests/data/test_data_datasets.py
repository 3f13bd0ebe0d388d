"""The datasets that are there: cards, one's own files, and, where UQBENCH_DATA points at them, the published ones."""

import os
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from uqbench.data.catalog import card_path, dataset_names, load_card
from uqbench.data.command import check_datasets, fetch_datasets, list_datasets, print_paths
from uqbench.data.dataset import load_dataset
from uqbench.data.describe import describe
from uqbench.data.read import Keys
from uqbench.data.split import make_split
from uqbench.errors import UqbenchError

PUBLISHED = [name for name in dataset_names() if card_path(name).parent.name == "published"]
needs_data = pytest.mark.skipif("UQBENCH_DATA" not in os.environ, reason="UQBENCH_DATA is not set")


@pytest.mark.parametrize("name", dataset_names())
def test_every_card_reads(name):
    assert load_card(name).name == name


def test_names_and_commands_need_no_heavy_import():
    code = (
        "import sys, uqbench.data.command as c; c.dataset_names();"
        "print([m for m in ('pydantic', 'ase', 'yaml', 'scipy', 'pooch', 'spglib', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_unknown_names_get_a_hint():
    with pytest.raises(UqbenchError, match="Did you mean zuo2020_cu"):
        load_card("zuo2020cu")
    with pytest.raises(UqbenchError, match="There are: 3bpa, al"):
        load_dataset("zzzzz")
    with pytest.raises(UqbenchError, match="no such file"):
        load_dataset("not/here.xyz")


def test_a_third_partys_dataset(monkeypatch, tmp_path):
    from importlib.metadata import EntryPoint, EntryPoints

    module = tmp_path / "their_data_for_tests.py"
    module.write_text(f"CARD = {str(card_path('al'))!r}\ndef broken():\n    raise RuntimeError('no disk')\n")
    monkeypatch.syspath_prepend(tmp_path)
    points = EntryPoints(
        EntryPoint(name, f"their_data_for_tests:{attr}", "uqbench.datasets")
        for name, attr in (("theirs", "CARD"), ("worse", "broken"))
    )
    monkeypatch.setattr("uqbench.data.catalog.entry_points", lambda **kw: points.select(**kw))
    assert load_card("theirs").name == "al"
    lines = []
    assert list_datasets(lines.append) == 1
    assert any(line.startswith("worse") and "broken" in line and "no disk" in line for line in lines)


def write_copper(path, seeds, **info):
    frames = []
    for seed in seeds:
        atoms = bulk("Cu", "fcc", 3.6, cubic=True)
        atoms.rattle(0.08, seed=seed)
        atoms.calc = EMT()
        frame = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True, info=info)
        labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        frame.calc = SinglePointCalculator(frame, **labels)
        frames.append(frame)
    write(path, frames, format="extxyz")
    return path


def test_ones_own_file_and_test_file(tmp_path):
    train = write_copper(tmp_path / "train.xyz", range(30), config_type="warm")
    test = write_copper(tmp_path / "test.xyz", [3, 100, 101])
    data = load_dataset(train, test_path=test)
    assert data.test == (30, 31, 32)
    assert data.card is None
    assert any("too close to the test set" in w and "frame 3" in w for w in data.warnings)
    assert any("1 of 33 frames repeat an earlier one" in w for w in data.warnings)
    (fold,) = make_split(data).folds
    assert 3 not in [*fold.train, *fold.calibration]
    text = describe(data)
    for part in (
        "33 frames, 132 atoms",
        "elements Cu",
        "clusters: 32",
        "stress: none",
        "warm 30, all 3",
        "warning:",
    ):
        assert part in text
    with pytest.raises(UqbenchError, match="--energy-key"):
        load_dataset(train, keys=Keys(energy="E"))
    with pytest.raises(UqbenchError, match="its card says"):
        load_dataset("al", test_path=test)


def test_duplicates_share_a_cluster_and_are_reported(tmp_path):
    path = write_copper(tmp_path / "twice.xyz", [0, 1, 2, 1, 0])
    data = load_dataset(path)
    assert [f.cluster for f in data.frames] == [0, 1, 2, 1, 0]
    assert any("2 of 5 frames repeat" in w for w in data.warnings)


def test_data_hash_sees_labels_and_geometry(tmp_path):
    base = write_copper(tmp_path / "a.xyz", range(3), config_type="a").read_text()
    hashes = set()
    for name, text in (
        ("a", base),
        ("b", base.replace("energy=", "energy=1")),
        ("c", base.replace("Cu  ", "Au  ", 1)),
        ("d", base.replace("config_type=a", "config_type=b")),
    ):
        (tmp_path / f"{name}.xyz").write_text(text)
        hashes.add(load_dataset(tmp_path / f"{name}.xyz").data_hash)
    assert len(hashes) == 4


def test_check_and_path_commands(tmp_path, capsys):
    bad = tmp_path / "bad.xyz"
    bad.write_text("")
    assert check_datasets(["al", str(bad)], print) == 1
    print_paths(["al"], print)
    fetch_datasets(["al"], print)
    out = capsys.readouterr().out
    assert "al: 230 frames" in out
    assert "FAILED" in out
    assert "al_pool.xyz.xz" in out


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        n if n in ("zuo2020_mo", "ta_jcp2014", "3bpa") else pytest.param(n, marks=pytest.mark.slow)
        for n in PUBLISHED
    ],
)
def test_published_sets_read_and_split(name):
    data = load_dataset(name)
    card = load_card(name)
    assert set(data.elements) == set(card.elements)
    assert not any("eV" in warning for warning in data.warnings)
    for fold in make_split(data).folds:
        assert len(fold.train) > 20
        assert len(fold.test) > 20


@needs_data
@pytest.mark.parametrize(
    "element", ["si", "li", *(pytest.param(e, marks=pytest.mark.slow) for e in ("cu", "ni", "mo", "ge"))]
)
def test_symmetry_copies_of_zuo2020_share_a_cluster(element):
    """The files mark test frames whose energy equals that of a training frame to 1e-5 eV."""
    from uqbench.data.files import locate
    from uqbench.data.read import read_frames

    name = f"zuo2020_{element}"
    data = load_dataset(name)
    raw = [f for path in locate(load_card(name), card_path(name).parent).values() for f in read_frames(path)]
    train = {d.cluster for d, r in zip(data.frames, raw, strict=True) if r.info["split"] == "train"}
    copies = [
        d.cluster in train for d, r in zip(data.frames, raw, strict=True) if r.info.get("sym_equiv_in_train")
    ]
    assert all(copies)
    zero = np.concatenate([~f.free_forces.ravel() for f in data.frames])
    if element in ("cu", "si"):
        assert 0.2 < zero.mean() < 0.45
    masked = [np.abs(f.forces[~f.free_forces]).max(initial=0.0) for f in data.frames if f.forces is not None]
    assert max(masked) < 0.01
