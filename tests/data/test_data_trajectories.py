"""Trajectories: what tells them from displacements drawn anew, and what keeps them together."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import yaml
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.md.verlet import VelocityVerlet

from uqbench.cli import main
from uqbench.data.dataset import load_dataset
from uqbench.data.read import Keys, RawFrame, read_frames
from uqbench.data.split import make_split
from uqbench.data.trajectories import displacements, trajectory_warnings
from uqbench.errors import UqbenchError


def labelled(atoms, **info):
    frame = atoms.copy()
    frame.calc = EMT()
    results = {"energy": frame.get_potential_energy(), "forces": frame.get_forces()}
    frame.calc = SinglePointCalculator(frame, **results)
    frame.info = info
    return frame


@pytest.fixture(scope="module")
def dynamics(tmp_path_factory):
    """A file of four trajectories of copper at 600 K, fifteen frames each, 9 fs apart."""
    frames = []
    for seed in range(4):
        atoms = bulk("Cu", "fcc", 3.6, cubic=True)
        atoms.calc = EMT()
        momenta = np.random.default_rng(seed).standard_normal((4, 3))
        atoms.set_momenta(momenta * np.sqrt(atoms.get_masses()[:, None] * 600 * units.kB))
        verlet = VelocityVerlet(atoms, 3 * units.fs)
        for _ in range(15):
            verlet.run(3)
            frames.append(labelled(atoms, config_type=f"traj_{seed}"))
    path = tmp_path_factory.mktemp("md") / "md.xyz"
    write(path, frames, format="extxyz")
    return path


def parts(fold, dataset):
    """By config_type: in how many parts of a fold it has frames."""
    members = [
        {dataset.frames[i].config_type for i in part} for part in (fold.train, fold.calibration, fold.test)
    ]
    return [sum(kind in part for part in members) for kind in sorted(set().union(*members))]


def test_a_key_keeps_trajectories_whole(dynamics):
    loose, kept = load_dataset(dynamics), load_dataset(dynamics, keys=Keys(cluster="config_type"))
    assert [f.cluster for f in kept.frames] == [i // 15 for i in range(60)]
    assert kept.data_hash != loose.data_hash
    assert all(max(parts(fold, loose)) == 3 for fold in make_split(loose).folds)
    assert all(parts(fold, kept) == [1] * 4 for fold in make_split(kept).folds)


def test_neighbours_in_time_are_told_in_one_line_until_a_key_keeps_them_together(dynamics):
    (warning,) = (w for w in load_dataset(dynamics).warnings if "trajectory" in w)
    assert warning.startswith("57 pairs of consecutive frames")
    assert f"{dynamics}, frame 0, and {dynamics}, frame 1)" in warning
    assert "--cluster-key" in warning
    assert load_dataset(dynamics, keys=Keys(cluster="config_type")).warnings == ()


def test_a_test_set_of_the_same_trajectory_is_not_trained_on(dynamics, tmp_path):
    lines = dynamics.read_text().splitlines(keepends=True)
    (tmp_path / "train.xyz").write_text("".join(lines[: 45 * 6]) + "".join(lines[50 * 6 :]))
    (tmp_path / "test.xyz").write_text("".join(lines[45 * 6 : 50 * 6]))
    data = load_dataset(tmp_path / "train.xyz", tmp_path / "test.xyz", Keys(cluster="config_type"))
    assert any("10 frames" in w and "too close to the test set" in w for w in data.warnings)


@pytest.mark.parametrize(("key", "found"), [("run", "no value"), ("forces", r"an array of shape \(4, 3\)")])
def test_a_frame_without_the_key_is_named(dynamics, key, found):
    with pytest.raises(UqbenchError, match=rf'md.xyz, frame 0: {found} under "{key}", which --cluster-key'):
        read_frames(dynamics, Keys(cluster=key))


def test_a_card_keeps_them_together_and_says_where_it_cannot(dynamics, tmp_path):
    content = dynamics.read_bytes()
    (tmp_path / "md.xyz").write_bytes(content)
    card = {
        "name": "md",
        "description": "d",
        "elements": ["Cu"],
        "licence": "l",
        "citation": "c",
        "files": [{"name": "md.xyz", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}],
        "dft": {},
        "groups": {f"traj_{i}": "t" for i in range(4)},
    }
    found = []
    for key in ("config_type", "run"):
        (tmp_path / "card.yaml").write_text(yaml.safe_dump({**card, "cluster_by": {"*": key}}))
        found.append(load_dataset(tmp_path / "card.yaml"))
    kept, loose = found
    assert len({frame.cluster for frame in kept.frames}) == 4
    assert kept.warnings == ()
    without, near = loose.warnings
    assert 'cluster_by has no effect on "*": none of these frames has "run"' in without
    assert "neighbours on a trajectory" in near


def test_the_command_line_hands_the_key_on(dynamics, capsys):
    assert main(["data", "check", str(dynamics), "--cluster-key", "config_type"]) == 0
    assert "clusters: 4\n" in capsys.readouterr().out
    assert main(["run", "--dataset", str(dynamics), "--cluster-key", "trajectory", "--dry-run"]) != 0
    said = capsys.readouterr()
    assert '"trajectory", which --cluster-key names' in said.out + said.err
    assert main(["data", "path", "al", "--cluster-key", "config_type"]) == 2


def raw(structures):
    return [RawFrame(a, 0.0, None, None, "all", {}, f"x.xyz, frame {i}") for i, a in enumerate(structures)]


def rattled(n, seed=0, std=0.05):
    cells = [bulk("Cu", "fcc", 3.6, cubic=True) for _ in range(n)]
    for i, atoms in enumerate(cells):
        atoms.rattle(std, seed=1000 * seed + i)
    return cells


def walk(n, seed=0, std=0.03):
    rng = np.random.default_rng(seed)
    cells = [bulk("Cu", "fcc", 3.6, cubic=True)]
    for _ in range(n - 1):
        atoms = cells[-1].copy()
        atoms.positions += rng.normal(scale=std, size=(4, 3))
        atoms.wrap()
        cells.append(atoms)
    return cells


def said(frames):
    return trajectory_warnings(frames, range(len(frames)), [None] * len(frames))


def test_displacements_drawn_anew_are_not_a_trajectory_and_a_walk_is():
    assert said(raw(rattled(20))) == []
    assert said(raw(walk(20)))[0].startswith("19 pairs")
    assert said(raw(walk(20)[::2] + rattled(20)))[0].startswith("9 pairs")


def test_a_cell_that_breathes_is_no_obstacle_and_other_files_and_atoms_are():
    cells = walk(10)
    for i, atoms in enumerate(cells):
        atoms.set_cell(atoms.cell.array * (1 + 0.002 * np.sin(i)), scale_atoms=True)
    frames = raw(cells)
    assert said(frames)[0].startswith("9 pairs")
    assert trajectory_warnings(frames, [0] * 10, [None] * 10) == []
    assert trajectory_warnings(frames, range(10), range(10)) == []
    assert said([replace(f, source=f"{i}.xyz, frame 0") for i, f in enumerate(frames)]) == []
    for i, frame in enumerate(frames):
        frame.atoms.symbols[0] = ("Cu", "Au")[i % 2]
    assert said(frames) == []
    assert trajectory_warnings([], [], []) == []


def test_displacements_are_to_the_nearest_image_without_the_strain():
    before = bulk("Cu", "fcc", 3.6)
    after = before.copy()
    after.positions += [0.1, 0.0, -0.2]
    after.positions += before.cell.array[1] - 2 * before.cell.array[2]
    np.testing.assert_allclose(displacements(before, after), [[0.1, 0.0, -0.2]], atol=1e-12)
    cubic = bulk("Cu", "fcc", 3.6, cubic=True)
    strained = cubic.copy()
    strained.set_cell(cubic.cell.array * 1.01, scale_atoms=True)
    np.testing.assert_allclose(displacements(cubic, strained), 0.0, atol=1e-12)


def test_the_embedded_set_has_none():
    assert not any("trajectory" in warning for warning in load_dataset("al").warnings)
