"""Files in the layouts of ANI-1x and Transition1x, written here: what is taken, in which units, as which clusters."""

import numpy as np
import pytest
from ase.units import Hartree

from uqbench.cli import main
from uqbench.data.convert import convert
from uqbench.data.dataset import load_dataset
from uqbench.data.hdf5 import Selection, read_hdf5, spaced
from uqbench.errors import UqbenchError

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

WATER, METHANE = [8, 1, 1], [6, 1, 1, 1, 1]


def molecule(n, numbers, seed):
    rng = np.random.default_rng(seed)
    positions = 1.5 * np.arange(len(numbers))[:, None] + 0.1 * rng.standard_normal((n, len(numbers), 3))
    return (
        positions.astype(np.float32),
        -40.0 + rng.standard_normal(n),
        rng.standard_normal((n, len(numbers), 3)),
    )


@pytest.fixture
def ani1x(tmp_path):
    path = tmp_path / "ani1x-release.h5"
    with h5py.File(path, "w") as file:
        for seed, (name, numbers) in enumerate({"H2O1": WATER, "C1H4": METHANE}.items()):
            positions, energy, forces = molecule(30, numbers, seed)
            energy[3] = np.nan
            forces[-1] = np.nan
            group = file.create_group(name)
            group["atomic_numbers"] = np.array(numbers, dtype=np.uint8)
            group["coordinates"], group["wb97x_dz.energy"], group["wb97x_dz.forces"] = (
                positions,
                energy,
                forces,
            )
            group["wb97x_dz.dipole"] = np.zeros((30, 3))
    return path


@pytest.fixture
def transition1x(tmp_path):
    path = tmp_path / "Transition1x.h5"
    with h5py.File(path, "w") as file:
        for split in ("data", "train"):
            for seed, reaction in enumerate(("rxn0001", "rxn0002")[: 2 if split == "data" else 1]):
                group = file.create_group(f"{split}/C1H4/{reaction}")
                group["atomic_numbers"] = METHANE
                fill(group, 26, seed)
                for k, end in enumerate(("reactant", "transition_state", "product")):
                    fill(group.create_group(end), 1, 10 * (seed + 1) + k)
    return path


def fill(group, n, seed):
    positions, energy, forces = molecule(n, METHANE, seed)
    group["positions"] = positions
    group["wB97x_6-31G(d).energy"], group["wB97x_6-31G(d).forces"] = energy, forces


def test_ani1x_in_electronvolts_without_missing_labels(ani1x):
    frames = list(read_hdf5(ani1x, "ani1x", Selection(per_group=1000)))
    assert len(frames) == 2 * 28
    _, energy, forces = molecule(30, METHANE, 1)
    first = frames[0]
    assert first.info == {"config_type": "heavy_1", "molecule": "C1H4"}
    assert first.get_potential_energy() == pytest.approx(energy[0] * Hartree)
    np.testing.assert_allclose(first.get_forces(), forces[0] * Hartree)


def test_what_is_selected(ani1x, transition1x):
    few = list(read_hdf5(ani1x, "ani1x", Selection(per_group=5, most_atoms=4)))
    assert [atoms.info["molecule"] for atoms in few] == ["H2O1"] * len(few)
    assert 4 <= len(few) <= 5
    assert not list(read_hdf5(ani1x, "ani1x", Selection(elements=("H", "N"))))
    train = list(read_hdf5(transition1x, "transition1x", Selection(split="train", per_group=8)))
    assert [a.info["config_type"] for a in train] == ["path"] * 8 + [
        "reactant",
        "transition_state",
        "product",
    ]
    assert {a.info["reaction"] for a in train} == {"rxn0001"}
    _, energy, _ = molecule(26, METHANE, 0)
    assert train[0].get_potential_energy() == energy[0]
    assert train[7].get_potential_energy() == energy[25]


def test_spacing_keeps_the_ends():
    assert spaced(np.arange(10), 3) == [0, 4, 9]
    assert spaced(np.arange(3), 5) == [0, 1, 2]


@pytest.mark.parametrize("layout", ["ani1x", "transition1x"])
def test_a_selection_becomes_a_dataset_that_can_be_run(layout, request, tmp_path):
    path = request.getfixturevalue(layout)
    card = convert(path, layout, Selection(per_group=10), tmp_path / "mine")
    dataset = load_dataset(str(card))
    assert len(dataset.frames) == (18 if layout == "ani1x" else 2 * 13)
    assert len({frame.cluster for frame in dataset.frames}) == 2
    assert dataset.card.upstream[0].bytes == path.stat().st_size
    with pytest.raises(UqbenchError, match="there is something in it"):
        convert(path, layout, Selection(), tmp_path / "mine")


def test_the_command(transition1x, tmp_path, capsys):
    asked = ["convert", "transition1x", str(transition1x), "--out", str(tmp_path / "t1x")]
    assert (
        main([*asked, "--per-group", "4", "--split", "train", "--max-atoms", "9", "--element", "C", "H"]) == 0
    )
    assert "card.yaml" in capsys.readouterr().out
    assert main([*asked, "--split", "val"]) == 2
    assert "there is something in it" in capsys.readouterr().err


def test_files_of_another_kind_are_refused_by_name(ani1x, transition1x, tmp_path):
    text = tmp_path / "not.h5"
    text.write_text("hello")
    for path, layout, selection, message in (
        (text, "ani1x", Selection(), r"not\.h5: cannot be read as HDF5"),
        (tmp_path / "none.h5", "ani1x", Selection(), "no such file"),
        (transition1x, "ani1x", Selection(), r"group data: there is no 'atomic_numbers' \(found: C1H4\)"),
        (ani1x, "transition1x", Selection(), r"there is no group 'data' \(found: C1H4, H2O1\)"),
        (transition1x, "transition1x", Selection(split="val"), "there is no group 'val'"),
        (ani1x, "ani1x", Selection(split="test"), "ANI-1x has no published split"),
    ):
        with pytest.raises(UqbenchError, match=message):
            list(read_hdf5(path, layout, selection))
    with pytest.raises(UqbenchError, match="no structure is selected"):
        convert(ani1x, "ani1x", Selection(elements=("N",)), tmp_path / "empty")
    with pytest.raises(UqbenchError, match="per_group is 0"):
        Selection(per_group=0)


def test_shapes_that_disagree_are_named(ani1x):
    with h5py.File(ani1x, "r+") as file:
        del file["C1H4/wb97x_dz.forces"]
        file["C1H4/wb97x_dz.forces"] = np.zeros((30, 4, 3))
    with pytest.raises(
        UqbenchError, match=r"group C1H4: wb97x_dz\.forces has shape \(30, 4, 3\); \(30, 5, 3\)"
    ):
        list(read_hdf5(ani1x, "ani1x", Selection()))
