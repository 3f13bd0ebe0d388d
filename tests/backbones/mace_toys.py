"""A tiny MACE on the copper-gold toys, shared by the tests of the mace backbone."""

from functools import cache
from importlib.util import find_spec

import pytest
from ase import Atoms

# Importing mace here would do to the process what uqbench takes care to undo.
if find_spec("mace") is None:
    pytest.skip("needs mace-torch", allow_module_level=True)

from uqbench.api import NetworkRequest
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.quiet import mace_parts
from uqbench.backbones.mace.train import train_mace
from uqbench.check.toy_data import ELEMENTS, toy_frames, unseen_structures
from uqbench.linear.references import fit_references

CONFIG = MaceConfig(cutoff=4.0, epochs=3)


def one_thread():
    """Tests are bitwise only on one thread."""
    import torch

    mace_parts()
    torch.set_num_threads(1)


def train(seed=0, config=CONFIG, frames=None, **options):
    one_thread()
    frames = toy_frames() if frames is None else frames
    references = options.pop("references", None) or fit_references(frames, ELEMENTS)
    return train_mace(NetworkRequest(frames, ELEMENTS, references, seed, **options), config)


@cache
def trained():
    """Three epochs: far from good, far from random."""
    return train()


def structures():
    """A sheared cell, a molecule, a cell of one atom, a slab, an isolated atom, two atoms out of reach."""
    slab = next(f.atoms for f in toy_frames() if f.atoms.pbc.sum() == 2)
    return [
        *unseen_structures(),
        slab,
        Atoms("Au"),
        Atoms("AuCu", [[0, 0, 0], [0, 0, 9.0]], cell=[20, 20, 20], pbc=True),
    ]
