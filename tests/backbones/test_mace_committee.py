"""Model files of mace as a committee: read only when they are trusted, and predicting what mace itself does."""

import json
import pickle
from importlib.util import find_spec

import numpy as np
import pytest
from committees import copper_gold

if find_spec("mace") is None:
    pytest.skip("needs mace-torch", allow_module_level=True)

from uqbench.backbones.mace.quiet import building, mace_parts
from uqbench.check.toy_data import ELEMENTS
from uqbench.cli import main
from uqbench.suite.raw import from_npz


def write_model(path, seed):
    """A small MACE with random weights, its last readout not linear, as mace's command line saves it."""
    parts = mace_parts()
    import torch
    from ase.data import atomic_numbers

    block = parts.modules.RealAgnosticResidualInteractionBlock
    with building(seed):
        network = parts.modules.ScaleShiftMACE(
            atomic_inter_scale=0.5,
            atomic_inter_shift=0.1,
            r_max=4.0,
            num_bessel=4,
            num_polynomial_cutoff=5,
            max_ell=1,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=2,
            num_elements=len(ELEMENTS),
            hidden_irreps=parts.o3.Irreps("4x0e"),
            MLP_irreps=parts.o3.Irreps("4x0e"),
            atomic_energies=np.array([-3.0, -2.0]),
            avg_num_neighbors=12.0,
            atomic_numbers=[atomic_numbers[e] for e in ELEMENTS],
            correlation=1,
            gate=torch.nn.functional.silu,
            radial_MLP=[8],
        )
    torch.save(network, path)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for number in (1, 2, 3):
        write_model(folder / f"{number}.model", number)
    copper_gold(folder / "toys.xyz", 30)
    return folder


def run(place, out, monkeypatch, files, *more):
    monkeypatch.setenv("UQBENCH_CACHE", str(out / "cache"))
    words = ["run", "--dataset", str(place / "toys.xyz"), "--out", str(out), "--device", "cpu"]
    return main([*words, "--task", "forces", "--calculators", *map(str, files), *more])


def test_model_files_predict_as_mace_does(place, tmp_path, monkeypatch):
    files = [place / f"{n}.model" for n in (1, 2, 3)]
    assert run(place, tmp_path, monkeypatch, files, "--trust") == 0
    (path,) = (tmp_path / "records").glob("*.json")
    record = json.loads(path.read_text())
    assert record["status"] == "ok"
    assert record["cell"]["backbone"].startswith("calculators:source=1.model@")
    assert str(place) not in path.read_text()
    assert sum(key.startswith("source ") for key in record["facts"][0]) == 3
    assert 1.5 < record["cost"]["predict"]["ratio_to_bare"] < 6.0

    import torch
    from ase.io import read
    from mace.calculators import MACECalculator

    before = torch.get_default_dtype()
    try:
        modules = [torch.load(file, weights_only=False) for file in files]
        calculators = [MACECalculator(models=[m], device="cpu", default_dtype="float64") for m in modules]
        frames = read(place / "toys.xyz", ":")
        table = from_npz((path.parent / record["raw"]["file"]).read_bytes(), "raw")["forces"]
        for structure in np.unique(table.structure)[:3]:
            forces = [c.get_forces(frames[structure]).ravel() for c in calculators]
            rows = (table.structure == structure) & (table.part == 1)
            assert table.mean[rows] == pytest.approx(np.mean(forces, axis=0), abs=1e-8)
            assert table.std[rows] == pytest.approx(np.std(forces, axis=0, ddof=1), abs=1e-8)
    finally:
        torch.set_default_dtype(before)


class Harmful:
    """What a file that is not to be trusted may do when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_is_not_opened_unless_it_is_trusted(place, tmp_path, monkeypatch, capsys):
    marker, model = tmp_path / "harm", tmp_path / "bad.model"
    model.write_bytes(pickle.dumps(Harmful(marker)))
    assert run(place, tmp_path, monkeypatch, [model, model]) == 2
    assert "add --trust" in capsys.readouterr().err
    assert not marker.exists()
    assert not (tmp_path / "records").exists()
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        f"datasets: [{place / 'toys.xyz'}]\nbackbones:\n- calculators: {{source: [{model}], trust: true}}\n"
    )
    assert main(["run", "--suite", str(suite), "--out", str(tmp_path / "o")]) == 2
    assert not marker.exists()


def test_what_is_no_model_of_mace_is_said(place, tmp_path, monkeypatch):
    import torch

    (tmp_path / "text.model").write_text("not a model")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "other.model")
    for file, words in (("text.model", "cannot be read as a model file"), ("other.model", "holds a Linear")):
        out = tmp_path / file.replace(".", "_")
        assert run(place, out, monkeypatch, [tmp_path / file], "--trust") == 1
        (path,) = (out / "records").glob("*.json")
        assert words in json.loads(path.read_text())["failure"]["reason"]
