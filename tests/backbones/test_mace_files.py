"""A trained network on disk: the same network when read, and nothing run by reading."""

import pickle

import numpy as np
import pytest
from backbones.mace_toys import structures, trained

from uqbench.backbones.mace.checkpoint import write_torch
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.errors import UqbenchError


class Trap:
    """Unpickling it raises, which loading must never come to."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code in a file was run')",))


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "folder" / "network.pt"
    trained().save(path)
    read = TrainedMace.load(path)
    for name in ("config", "elements", "references", "normalisation", "curve", "stopped"):
        assert getattr(read, name) == getattr(trained(), name)
    for one, other in zip(read.predict(structures()), trained().predict(structures()), strict=True):
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)
    assert [p.name for p in path.parent.iterdir()] == ["network.pt"]


def test_a_file_is_config_and_state_dict(tmp_path):
    import torch

    path = tmp_path / "network.pt"
    trained().save(path)
    content = torch.load(path, weights_only=True)
    assert set(content) == {"format", "config", "state_dict"}
    assert all(isinstance(values, torch.Tensor) for values in content["state_dict"].values())


def test_a_network_survives_pickling_after_use():
    trained().predict(structures()[:1])
    copy = pickle.loads(pickle.dumps(trained()))
    assert np.array_equal(copy.weights, trained().weights)


def test_code_in_a_file_is_not_run(tmp_path):
    import torch

    path = tmp_path / "trap.pt"
    torch.save({"format": "uqbench mace 1", "config": Trap()}, path)
    with pytest.raises(UqbenchError, match="not a file of tensors that is safe to read"):
        TrainedMace.load(path)


def test_other_files_are_named(tmp_path):
    with pytest.raises(UqbenchError, match="is not there"):
        TrainedMace.load(tmp_path / "nothing.pt")
    text = tmp_path / "text.pt"
    text.write_text("not tensors")
    with pytest.raises(UqbenchError, match=r"text\.pt is not a file of tensors"):
        TrainedMace.load(text)
    other = tmp_path / "other.pt"
    write_torch(other, {"format": "something else"})
    with pytest.raises(UqbenchError, match="not of the format"):
        TrainedMace.load(other)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    import os

    path = tmp_path / "network.pt"
    trained().save(path)
    before = path.read_bytes()

    def broken(source, target):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises((OSError, UqbenchError), match="no space"):
        trained().save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["network.pt"]
