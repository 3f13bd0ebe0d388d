"""Model files as mace writes them, as the trunk of a backbone: the same potential, its last layer, and its dangers."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
from ase import Atoms
from backbones.mace_toys import one_thread, structures, trained
from committees import copper_gold

from uqbench.api import NetworkRequest, NoiseHead, NotApplicable, Readouts
from uqbench.backbones.mace.load import load_network
from uqbench.backbones.mace.plugin import Mace
from uqbench.backbones.mace.quiet import building, mace_parts
from uqbench.check.toy_data import ELEMENTS, toy_frames
from uqbench.cli import main
from uqbench.errors import UqbenchError
from uqbench.linear.references import fit_references

TABLE = [8, 29, 46, 79]
"""O, Cu, Pd, Au: more elements than the toys have, and in another place."""
KINDS = {
    "as mace trains it": {},
    "vectors and three bodies more": {"hidden_irreps": "4x0e + 4x1o", "max_ell": 2, "correlation": 3},
    "pairs pushed apart": {"pair_repulsion": True, "distance_transform": "Agnesi"},
    "density": {
        "interaction_cls": "RealAgnosticDensityResidualInteractionBlock",
        "interaction_cls_first": "RealAgnosticDensityInteractionBlock",
    },
    "one layer": {"num_interactions": 1},
    "one readout": {"use_last_readout_only": True},
}


def make_model(seed=0, **changed):
    """A mace with random weights, its last readout a perceptron."""
    one_thread()
    parts = mace_parts()
    import torch

    given = {
        "atomic_inter_scale": 0.5,
        "atomic_inter_shift": 0.1,
        "r_max": 4.0,
        "num_bessel": 4,
        "num_polynomial_cutoff": 5,
        "max_ell": 1,
        "interaction_cls": "RealAgnosticResidualInteractionBlock",
        "interaction_cls_first": "RealAgnosticInteractionBlock",
        "num_interactions": 2,
        "num_elements": len(TABLE),
        "hidden_irreps": "4x0e",
        "MLP_irreps": "6x0e",
        "atomic_energies": np.array([-1.0, -2.0, -4.0, -3.0]),
        "avg_num_neighbors": 12.0,
        "atomic_numbers": TABLE,
        "correlation": 2,
        "gate": torch.nn.functional.silu,
        "radial_MLP": [8],
        **changed,
    }
    for key in ("interaction_cls", "interaction_cls_first"):
        given[key] = getattr(parts.modules, given[key])
    for key in ("hidden_irreps", "MLP_irreps"):
        given[key] = parts.o3.Irreps(given[key])
    with building(seed):
        return parts.modules.ScaleShiftMACE(**given)


def write_model(path, dtype="float64", **changed):
    import torch

    torch.save(make_model(**changed).to(getattr(torch, dtype)), path)
    return path


def asked(seed=0, **more):
    frames = toy_frames()
    return NetworkRequest(frames, ELEMENTS, fit_references(frames, ELEMENTS), seed, **more)


@pytest.fixture(scope="module", params=KINDS)
def model(request, tmp_path_factory):
    """A file, and the network that starts from it."""
    path = write_model(tmp_path_factory.mktemp("model") / "mp.model", **KINDS[request.param])
    return path, Mace(start=str(path)).train(asked())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "mp.model")


def maces_own(path, device="cpu"):
    import torch
    from mace.calculators import MACECalculator

    before = torch.get_default_dtype()
    try:
        module = torch.load(path, weights_only=False)
        return MACECalculator(models=[module], device=device, default_dtype="float64")
    finally:
        torch.set_default_dtype(before)


def close(found, expected, tolerance=1e-8):
    np.testing.assert_allclose(found, expected, atol=tolerance * max(1.0, np.abs(expected).max()), rtol=0)


def test_forces_and_stress_are_the_files_own(model):
    """Against mace's own calculator on the file, which has elements that the toys lack."""
    path, found = model
    theirs = maces_own(path)
    given = [structures()[0], next(a for a in structures() if not a.pbc.any() and len(a) > 2)]
    for atoms, own in zip(given, found.predict(given), strict=True):
        close(own.forces, theirs.get_forces(atoms))
        if own.stress is not None:
            close(own.stress, theirs.get_stress(atoms))


def test_rows_times_weights_is_the_model(model):
    """Energy less references, forces and stress to 1e-8, where the last readout is a perceptron."""
    _, found = model
    for atoms, rows, own in zip(
        structures(), found.rows(structures()), found.predict(structures()), strict=True
    ):
        n = 1 + 3 * len(atoms)
        values = rows @ found.weights
        assert values[0] * len(atoms) == pytest.approx(own.energy - found.reference_energy(atoms), abs=1e-8)
        close(values[1:n], own.forces.ravel())
        if own.stress is not None:
            close(values[n:], own.stress)


def test_energies_of_another_zero_are_shifted_by_elements(plain):
    """Labels that are the model's own energies plus constants of the elements: nothing is left of them."""
    theirs = maces_own(plain)
    zeros, frames = {"Au": 700.0, "Cu": -300.0}, []
    for frame in toy_frames():
        if len(frame.atoms) > 2:
            energy = theirs.get_potential_energy(frame.atoms)
            energy += sum(zeros[s] for s in frame.atoms.get_chemical_symbols())
            frames.append(dataclasses.replace(frame, energy=energy))
    for references in (fit_references(frames, ELEMENTS), {"Au": 0.0, "Cu": 0.0}):
        found = Mace(start=str(plain)).train(NetworkRequest(frames, ELEMENTS, references, 0))
        predicted = found.predict([frame.atoms for frame in frames])
        for frame, own in zip(frames, predicted, strict=True):
            assert own.energy == pytest.approx(frame.energy, abs=1e-6)


def test_a_float32_file_is_evaluated_in_float64(tmp_path):
    path = write_model(tmp_path / "single.model", "float32")
    found = Mace(start=str(path)).train(asked())
    theirs = maces_own(path)
    atoms = structures()[0]
    close(found.predict([atoms])[0].forces, theirs.get_forces(atoms), 1e-6)
    rows = next(found.rows([atoms]))
    close(rows[1 : 1 + 3 * len(atoms)] @ found.weights, found.predict([atoms])[0].forces.ravel(), 1e-10)


def test_kept_and_read_it_is_the_same_without_the_file(model, tmp_path):
    _, found = model
    found.save(tmp_path / "network.pt")
    read = load_network(tmp_path / "network.pt")
    for one, other in zip(read.predict(structures()), found.predict(structures()), strict=True):
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)
    assert np.array_equal(pickle.loads(pickle.dumps(found)).weights, found.weights)


def test_our_own_files_start_without_trust(tmp_path):
    """A network trained here, taken up again: the same forces; energies shifted to what it had left on average."""
    path = tmp_path / "network.pt"
    trained().save(path)
    backbone = Mace(start=str(path))
    assert [origin.pickled for origin in backbone.origins()] == [False]
    found = backbone.train(asked())
    for one, other in zip(found.predict(structures()), trained().predict(structures()), strict=True):
        close(one.forces, other.forces, 1e-10)
    again = tmp_path / "again.pt"
    found.save(again)
    taken = Mace(start=str(again)).train(asked())
    close(taken.predict(structures())[0].forces, found.predict(structures())[0].forces, 1e-10)


def test_fine_tuning_starts_from_the_file_and_depends_on_the_seed(tmp_path):
    """From three epochs of training: forces get better, to the last bit the same ones for the same seed."""
    path = tmp_path / "network.pt"
    trained().save(path)
    backbone = Mace(start=str(path), fine_tune=True, epochs=8)
    one, again, other = (backbone.train(asked(seed)) for seed in (0, 0, 1))
    assert one.curve[-1]["epoch"] == 8
    frames = [f for f in toy_frames() if f.forces is not None]

    def rmse(network):
        found = network.predict([f.atoms for f in frames])
        left = [(p.forces - f.forces).ravel() for p, f in zip(found, frames, strict=True)]
        return np.sqrt(np.mean(np.concatenate(left) ** 2))

    assert rmse(one) < 0.99 * rmse(trained())
    assert all(np.array_equal(one.state[k], again.state[k]) for k in one.state)
    assert not all(np.array_equal(one.state[k], other.state[k]) for k in one.state)
    assert backbone.seeded
    assert not Mace(start=str(path)).seeded


@pytest.mark.parametrize("kind", ["as mace trains it", "pairs pushed apart"])
def test_heads_and_readouts_go_on_a_frozen_model(tmp_path, kind):
    path = write_model(tmp_path / "mp.model", **KINDS[kind])
    backbone = Mace(start=str(path), epochs=4)
    start = backbone.train(asked())
    noisy = backbone.train(asked(variant=NoiseHead(), start=start))
    atoms = structures()[0]
    assert np.array_equal(noisy.predict([atoms])[0].forces, start.predict([atoms])[0].forces)
    assert np.all(noisy.noise([atoms])[0].variances() > 0)
    shallow = backbone.train(asked(variant=Readouts(4), start=start))
    members = shallow.predict_members([atoms])
    mean = np.mean([member[0].forces for member in members], axis=0)
    close(mean, shallow.predict([atoms])[0].forces, 1e-5)
    shallow.save(tmp_path / "shallow.pt")
    assert load_network(tmp_path / "shallow.pt").variant == Readouts(4)
    with pytest.raises(NotApplicable, match="random weights"):
        backbone.train(asked(variant=NoiseHead(schedule="joint")))


def test_an_element_that_the_model_does_not_know_is_named(plain):
    frames = [dataclasses.replace(toy_frames()[0], atoms=Atoms("Ni2", [[0, 0, 0], [0, 0, 2.2]]), forces=None)]
    with pytest.raises(UqbenchError, match=r"mp\.model@\w{8} does not know Ni \(it knows O, Cu, Pd, Au\)"):
        Mace(start=str(plain)).train(NetworkRequest(frames, ("Ni",), {"Ni": 0.0}, 0))


def test_what_cannot_be_started_from_is_said(tmp_path):
    import torch

    (tmp_path / "text.model").write_text("not a model")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "other.model")
    write_model(tmp_path / "heads.model", heads=["a", "b"], atomic_energies=np.zeros((2, 4)))
    write_model(tmp_path / "bias.model", readout_cls=mace_parts().modules.blocks.NonLinearBiasReadoutBlock)
    for file, words in (
        ("text.model", "cannot be read as a model file of mace"),
        ("other.model", r"holds a Linear, not a mace\.modules\.MACE"),
        ("heads.model", r"several heads \(a, b\)"),
        ("bias.model", "has a NonLinearBiasReadoutBlock"),
    ):
        with pytest.raises(UqbenchError, match=words):
            Mace(start=str(tmp_path / file)).train(asked())
    with pytest.raises(UqbenchError, match="there is no model file"):
        Mace(start=str(tmp_path / "none.model")).origins()


def test_a_model_whose_layers_are_not_the_known_ones_is_refused(plain, tmp_path):
    """Something of the file's that the network made of it does not have: found out by comparing forces."""
    import torch

    module = torch.load(plain, weights_only=False)
    module.interactions[1].avg_num_neighbors = 3.0
    torch.save(module, tmp_path / "odd.model")
    with pytest.raises(UqbenchError, match="differs from the model's own forces"):
        Mace(start=str(tmp_path / "odd.model")).train(asked())


@pytest.mark.parametrize("bad", [{"size": "small"}, {"cutoff": 4.0}])
def test_what_the_file_decides_cannot_be_asked_for(bad):
    with pytest.raises(UqbenchError, match="are those of the model file"):
        Mace(start="some.model", **bad)
    with pytest.raises(UqbenchError, match="fine_tune needs a model file"):
        Mace(fine_tune=True)


class Harmful:
    """What a file that is not to be trusted may do when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def run(folder, out, monkeypatch, model, *more):
    monkeypatch.setenv("UQBENCH_CACHE", str(folder / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = ["run", "--dataset", str(folder / "toys.xyz"), "--out", str(out), "--device", "cpu"]
    return main([*words, "--task", "forces", "--mace-model", str(model), *more])


def test_a_file_is_not_opened_unless_it_is_trusted(tmp_path, monkeypatch, capsys):
    import torch

    copper_gold(tmp_path / "toys.xyz", 30)
    marker = tmp_path / "harm"
    for file in (tmp_path / "bad.model", tmp_path / "disguised.model"):
        # The second says that it is ours, and is read as such: tensors only.
        words = {"format": "uqbench mace 2"} if file.stem == "disguised" else {}
        torch.save({**words, "config": Harmful(marker)}, file)
    assert run(tmp_path, tmp_path / "a", monkeypatch, tmp_path / "bad.model", "--method", "constant") == 2
    assert "add --trust" in capsys.readouterr().err
    assert (
        run(tmp_path, tmp_path / "b", monkeypatch, tmp_path / "disguised.model", "--method", "constant") == 1
    )
    assert not marker.exists()


def test_a_run_on_a_model_file(plain, tmp_path, monkeypatch):
    """Linear methods on its last layer; its hash in the cell, a warning in the facts, no ensemble of what is frozen."""
    copper_gold(tmp_path / "toys.xyz", 30)
    methods = ("pops_calibrated", "deep_ensemble")
    assert run(tmp_path, tmp_path / "out", monkeypatch, plain, "--trust", "--method", *methods) == 0
    found = {}
    for path in (tmp_path / "out" / "records").glob("*.json"):
        assert str(plain) not in path.read_text()
        record = json.loads(path.read_text())
        found[record["cell"]["method"]] = record
    record = found["pops_calibrated"]
    assert record["status"] == "ok", record["failure"]
    assert record["cell"]["backbone"].startswith("mace:start=mp.model@")
    for facts in record["facts"]:
        assert facts["contamination"].startswith("unknown: mp.model@")
        assert facts["network_epochs"] == 0.0
    assert found["deep_ensemble"]["status"] == "not applicable"
    assert "fine_tune=true" in found["deep_ensemble"]["failure"]["reason"]


def test_the_contents_of_the_file_decide_the_network_not_its_place(plain, tmp_path):
    from uqbench.suite.networks import network_key

    copy, other = tmp_path / plain.name, tmp_path / "other" / plain.name
    other.parent.mkdir()
    copy.write_bytes(plain.read_bytes())
    write_model(other, seed=1)
    keys = [network_key(Mace(start=str(path)), asked()) for path in (plain, copy, other)]
    assert keys[0] == keys[1] != keys[2]
    assert network_key(Mace(start=str(plain), fine_tune=True), asked()) != keys[0]
