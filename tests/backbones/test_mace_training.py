"""Training: the same to the last bit when repeated or resumed, honest about its validation, and hard to derail."""

import dataclasses
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from backbones.mace_toys import CONFIG, train, trained

from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.early_stopping import carve_validation
from uqbench.backbones.mace.pieces import Pieces
from uqbench.backbones.mace.quiet import torch_device
from uqbench.check.toy_data import ELEMENTS, energies_only, toy_frames
from uqbench.errors import UqbenchError


def same_weights(one, other):
    return all(np.array_equal(one.state[name], other.state[name]) for name in one.state)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    assert same_weights(train(), trained())
    assert not same_weights(train(seed=1), trained())


def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    """Stopped after its first epoch and started again: bitwise the weights of an undisturbed training."""
    path = tmp_path / "checkpoint.pt"

    def stop_later(text):
        if text.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(checkpoint=path, say=stop_later)
    told = []
    resumed = train(checkpoint=path, say=told.append)
    assert told[0].startswith("goes on after epoch 1 of 3")
    assert same_weights(resumed, trained())
    assert [row["epoch"] for row in resumed.curve] == [1, 2, 3]
    keys = ("loss", "validation_loss", "energy_rmse", "forces_rmse", "stress_rmse")
    for one, other in zip(resumed.curve, trained().curve, strict=True):
        assert [one[k] for k in keys] == [other[k] for k in keys]
    # Once done, it is read, not trained again.
    told.clear()
    assert same_weights(train(checkpoint=path, say=told.append), trained())
    assert len(told) == 1
    with pytest.raises(UqbenchError, match="checkpoint of another training"):
        train(seed=1, checkpoint=path)


def test_training_lowers_the_error():
    """Thirty epochs: a fifth of the first validation loss, and energies better than their mean."""
    model = train(config=MaceConfig(cutoff=4.0, epochs=30))
    first, best = model.curve[0], min(model.curve, key=lambda row: row["validation_loss"])
    assert best["validation_loss"] < 0.2 * first["validation_loss"]
    frames = toy_frames()
    found = model.predict([f.atoms for f in frames])
    errors = np.array(
        [(p.energy - f.energy) / len(f.atoms) for p, f in zip(found, frames, strict=True) if f.energy]
    )
    energies = np.array([f.energy / len(f.atoms) for f in frames if f.energy])
    assert np.sqrt(np.mean(errors**2)) < 0.7 * energies.std()


def test_weights_are_of_the_best_epoch():
    """The curve's least validation loss is that of the returned weights."""
    import torch

    from uqbench.backbones.mace.graphs import make_batch, make_graph
    from uqbench.backbones.mace.model import evaluate
    from uqbench.backbones.mace.objective import counts, make_example, squared_errors, weighted

    model, frames = trained(), toy_frames()
    _, aside = carve_validation(frames, np.random.default_rng([0, 0]))
    examples = []
    for i in aside:
        atoms = frames[i].atoms
        graph = make_graph(atoms, model.elements, 4.0)
        examples.append(make_example(frames[i], graph, model.reference_energy(atoms) / len(atoms)))
    batch = make_batch([e.graph for e in examples], 2, torch.float64)
    loss = weighted(squared_errors(evaluate(model.network(), batch), batch, examples), counts(examples))
    assert float(loss) == pytest.approx(min(row["validation_loss"] for row in model.curve), rel=1e-4)


def test_validation_takes_whole_clusters_and_leaves_every_element():
    frames = toy_frames()
    for seed in range(20):
        learn, aside = carve_validation(frames, np.random.default_rng(seed))
        assert sorted(learn + aside) == list(range(len(frames)))
        assert not {frames[i].cluster for i in learn} & {frames[i].cluster for i in aside}
        assert 0.1 * len(frames) <= len(aside) < 0.5 * len(frames)
        symbols = {s for i in learn for s in frames[i].atoms.get_chemical_symbols()}
        assert symbols == {"Au", "Cu"}


def test_frames_of_one_cluster_cannot_be_trained_on():
    frames = [dataclasses.replace(f, cluster=0) for f in toy_frames()]
    with pytest.raises(UqbenchError, match="none can be kept aside"):
        train(frames=frames)


def test_energies_alone_are_enough():
    model = train(frames=energies_only(toy_frames()), config=MaceConfig(cutoff=4.0, epochs=2))
    assert all(math.isfinite(row["validation_loss"]) for row in model.curve)
    assert all(row["forces_rmse"] == 0.0 for row in model.curve)


def spoiled(monkeypatch, first):
    """From the given step on, the loss is not a number."""
    from uqbench.backbones.mace import objective as module

    calls = iter(range(10**6))
    honest = module.squared_errors

    def squared_errors(outputs, batch, examples):
        value = honest(outputs, batch, examples)
        return value * math.nan if outputs.energy.requires_grad and next(calls) >= first else value

    monkeypatch.setattr(module, "squared_errors", squared_errors)


def test_a_nan_loss_stops_training_and_keeps_the_last_good_weights(monkeypatch):
    """Two steps an epoch: the fourth is bad, so the weights after the first epoch are what is left."""
    spoiled(monkeypatch, first=3)
    told = []
    model = train(say=told.append)
    assert told[-1] == model.stopped
    assert len(model.curve) == 1
    assert "batch 2 in epoch 2 is not finite" in model.stopped
    assert "toy frame of" in model.stopped
    assert np.isfinite(np.concatenate([v.ravel() for v in model.state.values()])).all()
    assert model.curve[0]["validation_loss"] == trained().curve[0]["validation_loss"]


def test_a_nan_loss_from_the_start_is_an_error(monkeypatch):
    spoiled(monkeypatch, first=0)
    with pytest.raises(UqbenchError, match=r"batch 1 in epoch 1 is not finite .* before any epoch"):
        train()


def test_too_little_memory_halves_the_batch_and_changes_nothing_else(monkeypatch):
    """Gradients of the halves add up: the weights agree to rounding."""
    import torch

    from uqbench.backbones.mace import objective as module

    honest = module.evaluate
    sizes = []

    def evaluate(network, batch, training=False):
        if training:
            sizes.append(len(batch.positions))
        if training and sizes[-1] > 20:
            raise torch.OutOfMemoryError("no memory")
        return honest(network, batch, training=training)

    monkeypatch.setattr(module, "evaluate", evaluate)
    model = train()
    assert sizes[0] > 40
    assert max(sizes[3:]) <= 20
    for name, values in trained().state.items():
        np.testing.assert_allclose(model.state[name], values, atol=2e-4)


def test_a_structure_that_never_fits_is_an_error():
    import torch

    def work(piece):
        raise torch.OutOfMemoryError("no memory")

    with pytest.raises(UqbenchError, match="single structure of 4 atoms"):
        list(Pieces(100).run(["Cu4."] * 3, work))


def test_pieces_keep_order_and_size():
    items = [[0] * n for n in (3, 4, 9, 1, 1, 1)]
    pieces = list(Pieces(7).run(items, lambda piece: [len(i) for i in piece]))
    assert pieces == [[3, 4], [9], [1, 1, 1]]


def test_cuda_asked_for_and_not_there_is_an_error():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UqbenchError, match="no CUDA device"):
        torch_device("cuda")
    with pytest.raises(UqbenchError, match="no CUDA device"):
        train(device="cuda")


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_does():
    """One network on both, in float64: predictions and rows to 1e-10; a training on CUDA runs."""
    from backbones.mace_toys import structures

    model = trained()
    for one, other in zip(
        model.predict(structures()), model.predict(structures(), device="cuda"), strict=True
    ):
        assert one.energy == pytest.approx(other.energy, rel=1e-10)
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-10)
    for one, other in zip(model.rows(structures()), model.rows(structures(), device="cuda"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)
    on_cuda = train(device="cuda")
    for one, other in zip(on_cuda.curve, model.curve, strict=True):
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-2)


@pytest.mark.gpu
def test_cuda_rounds_float32_as_the_cpu_does():
    """No TF32 in training: energies and forces of the same float32 network to 1e-5."""
    import torch
    from backbones.mace_toys import structures

    from uqbench.backbones.mace.graphs import make_batch, make_graph
    from uqbench.backbones.mace.model import evaluate
    from uqbench.backbones.mace.quiet import full_precision

    graphs = [make_graph(atoms, ELEMENTS, CONFIG.cutoff) for atoms in structures()]
    with full_precision():
        here, there = (
            evaluate(
                trained().own_network().float().to(device),
                make_batch(graphs, len(ELEMENTS), torch.float32, device),
            )
            for device in ("cpu", "cuda")
        )
    np.testing.assert_allclose(here.energy.numpy(), there.energy.cpu().numpy(), rtol=1e-5)
    scale = float(here.forces.abs().max())
    np.testing.assert_allclose(here.forces.numpy(), there.forces.cpu().numpy(), atol=1e-5 * scale)


def test_frames_with_a_foreign_element_are_named():
    atoms = toy_frames()[0].atoms.copy()
    atoms.symbols[0] = "Ni"
    frames = (*toy_frames(), dataclasses.replace(toy_frames()[0], atoms=atoms, source="odd.xyz, frame 7"))
    with pytest.raises(UqbenchError, match=r"odd\.xyz, frame 7: .*Ni"):
        train(frames=frames, references={"Au": 0.0, "Cu": 0.0, "Ni": 0.0})


def test_importing_does_not_import_torch_nor_leave_loading_unsafe():
    """The package needs no torch until it is used; afterwards mace's switch for unsafe loading is off again."""
    code = (
        "import sys, os, uqbench, uqbench.backbones.mace.config, uqbench.backbones.mace.trained\n"
        "print('torch' in sys.modules)\n"
        "from uqbench.backbones.mace.quiet import mace_parts\n"
        "mace_parts()\n"
        "print(os.environ.get('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'))"
    )
    clean = {k: v for k, v in os.environ.items() if k != "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean)
    assert done.stdout.split() == ["False", "None"], done.stdout
    assert done.stderr == ""
