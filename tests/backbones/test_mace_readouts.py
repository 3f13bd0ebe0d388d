"""Several readouts on one trunk: each a potential, trained by the score of their mean and variance."""

import dataclasses

import numpy as np
import pytest
from backbones.mace_toys import one_thread, structures, trained
from scipy.stats import norm

from uqbench.api import NetworkRequest, Readouts, spread
from uqbench.backbones.mace.load import load_network
from uqbench.check.toy_data import ELEMENTS, toy_frames
from uqbench.errors import UqbenchError
from uqbench.linear.references import fit_references

STEP = 1e-5


def train(count=6, seed=0, trunk="frozen", **options):
    from uqbench.backbones.mace.train_readouts import train_readouts

    one_thread()
    frames = toy_frames()
    references = fit_references(frames, ELEMENTS)
    request = NetworkRequest(frames, ELEMENTS, references, seed, **options)
    return train_readouts(request, Readouts(count, trunk), trained())


@pytest.fixture(scope="module")
def shallow():
    return train()


@pytest.fixture(scope="module")
def deep():
    """With its trunk trained too."""
    return train(trunk="trained")


@pytest.fixture(params=["frozen", "trained"])
def either(request):
    return request.getfixturevalue({"frozen": "shallow", "trained": "deep"}[request.param])


def test_each_readout_is_one_potential(either):
    """Calculator and batched prediction agree; forces and stress are derivatives of its energy."""
    shallow = either
    atoms = structures()[0].copy()
    found = shallow.predict_members([atoms])
    for member, calculator in enumerate(shallow.member_calculators()):
        atoms.calc = calculator
        own = found[member][0]
        assert own.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
        np.testing.assert_allclose(own.forces, atoms.get_forces(), atol=1e-9)
        np.testing.assert_allclose(own.stress, atoms.get_stress(), atol=1e-9)
        energies = []
        for by in (STEP, -STEP):
            copy = atoms.copy()
            copy.positions[1, 2] += by
            copy.calc = calculator
            energies.append(copy.get_potential_energy())
        assert own.forces[1, 2] == pytest.approx(-(energies[0] - energies[1]) / (2 * STEP), abs=1e-6)
    energies = [member[0].energy for member in found]
    assert len(set(energies)) == 6


def test_as_a_network_it_is_the_mean_of_its_readouts(either):
    shallow = either
    means = spread(shallow.predict_members(structures()), structures())
    plain = shallow.predict(structures())
    energies = [p.energy / len(atoms) for p, atoms in zip(plain, structures(), strict=True)]
    np.testing.assert_allclose(means.energy.mean, energies, atol=1e-6)
    np.testing.assert_allclose(
        means.forces.mean, np.concatenate([p.forces.ravel() for p in plain]), atol=1e-6
    )


def test_the_score_is_the_gaussian_likelihood_of_the_readouts_mean_and_variance(shallow):
    """Against SciPy, from the members' own predictions of a labelled frame; the floor is added in quadrature.

    By rows of a frozen trunk and by backward passes through the whole network alike.
    """
    import torch

    from uqbench.backbones.mace.graphs import make_graph
    from uqbench.backbones.mace.objective import make_example
    from uqbench.backbones.mace.readouts_objective import LEAST, FrozenTrunk, WholeNetwork, with_rows

    frame = toy_frames()[0]
    n, reference = len(frame.atoms), shallow.reference_energy(frame.atoms)
    example = make_example(frame, make_graph(frame.atoms, ELEMENTS, 4.0), reference / n)
    rows = next(shallow.rows([frame.atoms]))
    own = rows @ shallow.weights
    parts = own[:1], own[1 : 1 + 3 * n], own[1 + 3 * n :]
    left = dataclasses.replace(
        example, labels=tuple(y - m for y, m in zip(example.labels, parts, strict=True))
    )
    errors = np.array([0.02, 0.3, 0.01])
    deviations = torch.as_tensor(shallow.readouts["deviations"].astype(float))
    given = deviations, torch.ones(deviations.shape[1], dtype=torch.float64), torch.as_tensor(errors)
    by_rows = FrozenTrunk(*given).sums(with_rows([left], [rows]), training=False).numpy()
    by_network = WholeNetwork(*given, shallow.own_network()).sums([example], training=False).detach().numpy()
    predictions = spread(shallow.predict_members([frame.atoms]), [frame.atoms])
    for k, kind in enumerate(("energy", "forces", "stress")):
        prediction, labels = getattr(predictions, kind), frame.labels(kind)
        scale = np.sqrt(prediction.std**2 + (LEAST * errors[k]) ** 2)
        dense = -norm.logpdf(labels, prediction.mean, scale).sum()
        wanted = dense - len(labels) * (0.5 * np.log(2 * np.pi) + np.log(errors[k]))
        for found in (by_rows, by_network):
            assert found[k] == pytest.approx(wanted, rel=1e-4)
            assert found[3 + k] == pytest.approx(((labels - prediction.mean) ** 2).sum(), rel=1e-4)


def test_the_trunk_stays_as_it_is_unless_it_is_to_be_trained(shallow, deep):
    trunks = [
        {name: values for name, values in network.state.items() if not name.startswith("readouts")}
        for network in (trained(), shallow, deep)
    ]
    for name, values in trunks[0].items():
        assert np.array_equal(values, trunks[1][name])
    assert any(not np.array_equal(values, trunks[2][name]) for name, values in trunks[0].items())


def test_training_lowers_the_score_and_spreads_readouts_by_about_their_error(shallow):
    assert min(row["nll"] for row in shallow.curve) < shallow.curve[0]["nll"]
    frames = [f for f in toy_frames() if f.forces is not None]
    atoms = [f.atoms for f in frames]
    forces = spread(shallow.predict_members(atoms), atoms).forces
    z = (np.concatenate([f.forces.ravel() for f in frames]) - forces.mean) / np.maximum(forces.std, 1e-3)
    assert 0.4 < np.sqrt(np.median(z**2)) / 0.674 < 2.5


def same(one, other):
    return np.array_equal(one.readouts["deviations"], other.readouts["deviations"])


def test_the_same_seed_gives_the_same_readouts_also_if_training_was_killed(shallow, tmp_path):
    assert same(train(), shallow)
    assert not same(train(seed=1), shallow)
    path = tmp_path / "checkpoint.pt"

    def stop_later(text):
        if text.startswith("epoch 20"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(checkpoint=path, say=stop_later)
    told = []
    assert same(train(checkpoint=path, say=told.append), shallow)
    assert told[0].startswith("goes on after epoch 19")


def test_what_is_read_is_what_was_written(shallow, tmp_path):
    path = tmp_path / "shallow.pt"
    shallow.save(path)
    read = load_network(path)
    assert same(read, shallow)
    assert read.variant == Readouts(6, "frozen")
    one, other = (m.predict_members(structures())[2][0] for m in (read, shallow))
    assert one.energy == other.energy


def test_a_trunk_in_training_is_resumed_too(monkeypatch, tmp_path):
    monkeypatch.setattr("uqbench.backbones.mace.train_readouts.TRUNK_EPOCHS", 1.0)
    whole, path = train(trunk="trained"), tmp_path / "checkpoint.pt"

    def stop(text):
        if path.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(trunk="trained", checkpoint=path, say=stop)
    told = []
    resumed = train(trunk="trained", checkpoint=path, say=told.append)
    assert any(text.startswith("goes on after epoch") for text in told)
    assert same(resumed, whole)
    assert all(np.array_equal(values, resumed.state[name]) for name, values in whole.state.items())


@pytest.mark.gpu
def test_readouts_on_cuda_are_those_on_the_cpu(either):
    """Of one network, to 1e-10; those trained there score alike."""
    members = (either.predict_members(structures(), device) for device in ("cpu", "cuda"))
    for one, other in zip(*members, strict=True):
        for here, there in zip(one, other, strict=True):
            assert here.energy == pytest.approx(there.energy, rel=1e-10)
            np.testing.assert_allclose(here.forces, there.forces, atol=1e-10)
    on_cuda = train(trunk=either.variant.trunk, device="cuda")
    assert on_cuda.curve[0]["nll"] == pytest.approx(either.curve[0]["nll"], abs=1e-2)


def test_one_readout_is_no_ensemble():
    with pytest.raises(UqbenchError, match="at least 2"):
        Readouts(1)
