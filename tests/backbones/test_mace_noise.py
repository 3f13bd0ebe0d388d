"""Heads for noise on a trained network: what they give, how they are trained, and their files."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
from ase import Atoms
from backbones.mace_toys import CONFIG, one_thread, structures, trained
from scipy.stats import special_ortho_group

from uqbench.api import NetworkRequest, NoiseHead
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.load import load_network
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.backbones.noise_law import CorrelatedNoise
from uqbench.check.toy_data import ELEMENTS, energies_only, toy_frames
from uqbench.errors import UqbenchError
from uqbench.linear.references import fit_references

LAWS = [NoiseHead(), NoiseHead(nuggets=True), NoiseHead("white")]
STEP = 1e-5
PLAIN_HEAD = NoiseHead()


def train(variant=PLAIN_HEAD, seed=0, frames=None, start=None, config=CONFIG, **options):
    from uqbench.backbones.mace.train_noise import train_noise

    one_thread()
    frames = toy_frames() if frames is None else frames
    start = (start or trained()) if variant.from_plain else None
    references = fit_references(frames, ELEMENTS)
    request = NetworkRequest(frames, ELEMENTS, references, seed, variant=variant, **options)
    return train_noise(request, variant, start, config)


@pytest.fixture(scope="module", params=LAWS, ids=["correlated", "nuggets", "white"])
def noisy(request):
    return train(request.param)


@pytest.fixture(scope="module")
def correlated():
    return train()


def cells():
    """Those among the structures with more than one atom that see each other."""
    return [atoms for atoms in structures() if len(atoms) > 2]


def moved(atoms, i, axis, by):
    copy = atoms.copy()
    copy.positions[i, axis] += by
    return copy


def test_slopes_are_the_gradient_of_the_scale(correlated):
    """Central differences, for the structure and site by site."""
    for atoms in cells():
        whole, local = correlated.noise([atoms])[0], correlated.noise([atoms], site_local=True)[0]
        pairs = [moved(atoms, i, c, d * STEP) for i in range(len(atoms)) for c in range(3) for d in (1, -1)]
        scales = np.array([noise.scale for noise in correlated.noise(pairs)]).reshape(-1, 2)
        slopes = (scales[:, 0] - scales[:, 1]).reshape(-1, 3) / (2 * STEP)
        np.testing.assert_allclose(whole.slopes, slopes, atol=1e-7)
        sites = np.array([n.scales for n in correlated.noise(pairs, site_local=True)])
        sites = sites.reshape(len(atoms), 3, 2, -1)
        slopes = ((sites[:, :, 0] - sites[:, :, 1]) / (2 * STEP)).transpose(2, 0, 1)
        np.testing.assert_allclose(local.slopes, slopes, atol=1e-7)
        assert whole.scale**2 == pytest.approx(np.sum(local.scales**2), rel=1e-12)


def test_structures_do_not_see_each_other(noisy):
    alone = [noisy.noise([atoms])[0].covariance() for atoms in structures()]
    for one, other in zip(alone, noisy.noise(structures()), strict=True):
        np.testing.assert_allclose(one, other.covariance(), atol=1e-12)
        assert np.linalg.eigvalsh(one)[0] > -1e-12
        np.testing.assert_allclose(other.variances(), np.diag(one), rtol=1e-9)


def test_a_translation_costs_the_global_law_and_is_free_by_site(correlated):
    """A cell and a molecule: no law sees where they are, and only the global one takes moving them for a change."""
    for atoms in cells():
        shifted = atoms.copy()
        shifted.positions += [0.3, -0.2, 0.5]
        direction = np.concatenate([[0.0], np.tile([1.0, 0.0, 0.0], len(atoms))])
        for site_local in (False, True):
            here, there = (n.covariance() for n in correlated.noise([atoms, shifted], site_local=site_local))
            np.testing.assert_allclose(here, there, atol=1e-10)
            variance = direction @ here @ direction
            assert (abs(variance) < 1e-12) if site_local else (variance > 1e-4)


@pytest.mark.parametrize("site_local", [False, True])
def test_the_law_turns_with_the_structure(noisy, site_local):
    turn = special_ortho_group.rvs(3, random_state=5)
    if site_local and noisy.variant.law == "white":
        with pytest.raises(UqbenchError, match="no site-local form"):
            noisy.noise(cells(), site_local=True)
        return
    for atoms in cells():
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ turn.T)
        turned.positions = atoms.positions @ turn.T
        whole = np.eye(1 + 3 * len(atoms))
        whole[1:, 1:] = np.kron(np.eye(len(atoms)), turn)
        one, other = (n.covariance() for n in noisy.noise([atoms, turned], site_local=site_local))
        np.testing.assert_allclose(other, whole @ one @ whole.T, atol=1e-9 * np.abs(one).max())


def test_a_frozen_mean_is_the_plain_network_to_the_last_bit(noisy):
    for one, other in zip(noisy.predict(structures()), trained().predict(structures()), strict=True):
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)


@pytest.mark.parametrize("schedule", ["joint", "warm_start"])
def test_other_schedules_train_the_network_too(schedule):
    """And it stays one potential: forces are minus the gradient of the energy."""
    model = train(NoiseHead(schedule=schedule))
    assert not np.array_equal(model.weights, trained().weights)
    assert np.isfinite([row["nll"] for row in model.curve]).all()
    atoms = cells()[0]
    up, down = (model.predict([moved(atoms, 1, 2, d)])[0].energy for d in (STEP, -STEP))
    assert model.predict([atoms])[0].forces[1, 2] == pytest.approx(-(up - down) / (2 * STEP), abs=1e-6)
    assert model.variant.schedule == schedule


def same(one, other):
    arrays = ("state", "head")
    return all(
        np.array_equal(getattr(one, a)[name], getattr(other, a)[name])
        for a in arrays
        for name in getattr(one, a)
    )


def test_the_same_seed_gives_the_same_head_and_another_seed_another(correlated):
    assert same(train(), correlated)
    assert not same(train(seed=1), correlated)
    assert not same(train(NoiseHead(energy_weight=10.0)), correlated)


@pytest.mark.parametrize("schedule", ["frozen_mean", "warm_start"])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path, schedule):
    """Three epochs at most; stopped in the second."""
    variant, config, path = NoiseHead(schedule=schedule), MaceConfig(cutoff=4.0, epochs=12), tmp_path / "c.pt"
    whole = train(variant, config=config)

    def stop_later(text):
        if text.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(variant, config=config, checkpoint=path, say=stop_later)
    told = []
    assert same(train(variant, config=config, checkpoint=path, say=told.append), whole)
    assert told[0].startswith("goes on after epoch 1")
    with pytest.raises(UqbenchError, match="checkpoint of another training"):
        train(dataclasses.replace(variant, energy_weight=2.0), config=config, checkpoint=path)


def test_a_nan_loss_stops_training_and_keeps_the_last_good_weights(monkeypatch):
    from uqbench.backbones.mace import noise_objective as module

    calls, honest = iter(range(10**6)), module.correlated_nll

    def spoiled(first):
        def correlated_nll(*arguments):
            value = honest(*arguments)
            return value * math.nan if value.requires_grad and next(calls) >= first else value

        return correlated_nll

    config = MaceConfig(cutoff=4.0, epochs=8)
    good = train(config=config)
    monkeypatch.setattr(module, "correlated_nll", spoiled(4))
    model = train(config=config)
    assert "is not finite" in model.stopped
    assert 1 <= len(model.curve) < len(good.curve)
    assert all(np.isfinite(values).all() for values in model.head.values())
    monkeypatch.setattr(module, "correlated_nll", spoiled(0))
    with pytest.raises(UqbenchError, match="before any epoch"):
        train(config=config)


@pytest.mark.gpu
def test_noise_on_cuda_is_that_on_the_cpu(noisy):
    """Of one head, to 1e-10; a head trained there scores alike."""
    for one, other in zip(noisy.noise(structures()), noisy.noise(structures(), "cuda"), strict=True):
        np.testing.assert_allclose(one.variances(), other.variances(), rtol=1e-10)
        np.testing.assert_allclose(one.covariance(), other.covariance(), rtol=1e-10, atol=1e-14)
    on_cuda = train(noisy.variant, device="cuda")
    for one, other in zip(on_cuda.curve, noisy.curve, strict=True):
        assert one["nll"] == pytest.approx(other["nll"], abs=1e-2)


def test_what_is_read_is_what_was_written(tmp_path, noisy):
    import torch

    path = tmp_path / "noisy.pt"
    noisy.save(path)
    read = load_network(path)
    assert type(read) is type(noisy)
    assert read.variant == noisy.variant
    assert same(read, noisy)
    for one, other in zip(read.noise(structures()), noisy.noise(structures()), strict=True):
        assert np.array_equal(one.covariance(), other.covariance())
    assert set(torch.load(path, weights_only=True)) == {"format", "config", "state_dict"}
    with pytest.raises(UqbenchError, match="not of the format"):
        TrainedMace.load(path)
    trained().save(path)
    assert type(load_network(path)) is TrainedMace
    assert same(pickle.loads(pickle.dumps(noisy)), noisy)


def test_energies_alone_are_enough_and_an_unseen_element_is_an_error(correlated):
    model = train(frames=energies_only(toy_frames()))
    assert math.isfinite(model.curve[-1]["nll"])
    with pytest.raises(UqbenchError, match="Ni"):
        correlated.noise([Atoms("Ni")])
    with pytest.raises(UqbenchError, match="positive number"):
        NoiseHead(energy_weight=0.0)


def drawn_from(law, model, frames, rng):
    """Frames whose labels are the network's predictions off by draws of its head's noise."""
    atoms = [frame.atoms for frame in frames]
    found = []
    for frame, mean, noise in zip(frames, model.predict(atoms), law.noise(atoms), strict=True):
        covariance = noise.covariance()
        off = rng.multivariate_normal(np.zeros(len(covariance)), covariance, method="cholesky")
        free = np.ones((len(frame.atoms), 3), dtype=bool)
        found.append(
            dataclasses.replace(
                frame,
                energy=mean.energy + off[0],
                forces=mean.forces + off[1:].reshape(-1, 3),
                stress=None,
                free_forces=free,
            )
        )
    return found


def crowd(n, rng):
    """Many rattled copies of the toys, each a cluster of its own."""
    base = [frame for frame in toy_frames() if len(frame.atoms) > 2]
    frames = []
    for i in range(n):
        frame = base[i % len(base)]
        atoms = frame.atoms.copy()
        atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
        frames.append(dataclasses.replace(frame, atoms=atoms, cluster=i))
    return frames


@pytest.mark.slow
def test_a_head_learns_the_process_that_labels_were_drawn_from(correlated):
    """Trained on draws of another head: 95 ± 1.5 % of new draws within its 95 % intervals, for energies and forces."""
    rng = np.random.default_rng(8)
    law = dataclasses.replace(
        correlated,
        head=correlated.head | {"log_length": np.float32(-0.3), "output": 8 * correlated.head["output"]},
    )
    frames = drawn_from(law, trained(), crowd(400, rng), rng)
    model = train(frames=frames, config=MaceConfig(cutoff=4.0, epochs=40))
    fresh = drawn_from(law, trained(), crowd(3000, rng), rng)
    atoms = [frame.atoms for frame in fresh]
    inside = {"energy": [], "forces": []}
    for frame, mean, noise in zip(fresh, model.predict(atoms), model.noise(atoms), strict=True):
        z = np.concatenate([[frame.energy - mean.energy], (frame.forces - mean.forces).ravel()])
        z = np.abs(z) / np.sqrt(noise.variances()) < 1.959964
        inside["energy"].append(z[:1])
        inside["forces"].append(z[1:])
        assert isinstance(noise, CorrelatedNoise)
    for kind, hits in inside.items():
        assert np.concatenate(hits).mean() == pytest.approx(0.95, abs=0.015), kind
