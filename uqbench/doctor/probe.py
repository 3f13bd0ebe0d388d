"""The smallest computation that a backbone or device is for; run in a process of its own, which it may take down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from uqbench.api import LinearBackbone, NetworkBackbone

Say = Callable[[str], None]


def try_backbone(name: str, plugins: Sequence[Path], device: str, say: Say) -> None:
    """Energy of a small cell by a backbone with its defaults; says what was computed, raises what goes wrong."""
    from uqbench.api import CalculatorBackbone, LinearBackbone, NetworkBackbone
    from uqbench.registry import discover

    cls = discover(plugins).find("backbones", name)
    if issubclass(cls, CalculatorBackbone):
        say(_calculators(f"{__name__}:effective_medium"))
    elif issubclass(cls, LinearBackbone):
        say(_rows(cls()))
    elif issubclass(cls, NetworkBackbone):
        say(_network(cls, device))


def try_cuda(say: Say) -> None:
    """A product of matrices on the GPU, beside the same on the CPU."""
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda
        if built is None:
            raise UqbenchError(f"torch {torch.__version__} is built without CUDA.")
        torch.cuda.init()  # raises why not
        raise UqbenchError(f"torch {torch.__version__} (CUDA {built}) finds no GPU.")
    a = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    there = (a.cuda() @ a.cuda().T).cpu()
    if not torch.allclose(there, a @ a.T):
        raise UqbenchError("a product of matrices comes out wrong on the GPU.")
    free, total = torch.cuda.mem_get_info()
    name = torch.cuda.get_device_name()
    say(f"{name}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free, torch {torch.__version__}")


def effective_medium() -> list[Calculator]:
    """Two calculators that need nothing but ASE."""
    from ase.calculators.emt import EMT

    return [EMT(), EMT()]


def _cell() -> Atoms:
    from ase.build import bulk

    atoms = bulk("Al", "fcc", a=4.05, cubic=True)
    atoms.positions[0, 0] += 0.1
    return atoms


def _rows(backbone: LinearBackbone) -> str:
    import numpy as np

    atoms, elements = _cell(), ("Al",)
    (rows,) = backbone.rows([atoms], elements)
    shape = (1 + 3 * len(atoms) + 6, backbone.n_features(elements))
    if rows.shape != shape or not np.isfinite(rows).all() or not rows.any():
        raise UqbenchError(
            f"design rows of {len(atoms)} atoms have the shape {rows.shape}, or are no numbers."
        )
    # A potential in which every coefficient counts, so that its energy is that of the rows.
    coefficients = np.full(shape[1], 1e-3)
    energy = len(atoms) * float(rows[0] @ coefficients)
    atoms.calc = backbone.potential(coefficients, elements)
    if not math.isclose(atoms.get_potential_energy(), energy, rel_tol=1e-6, abs_tol=1e-6):
        raise UqbenchError("the energy of its potential is not that of its design rows.")
    return f"design rows ({shape[0]} × {shape[1]}) of a cell of aluminium, and a potential that agrees"


def _calculators(source: str) -> str:
    from uqbench.backbones.calculators.plugin import Calculators

    made = Calculators((source,)).calculators("cpu")
    atoms = _cell()
    atoms.calc = made[0][1]
    return f"ASE's EMT as a committee: {atoms.get_potential_energy():.3f} eV for a cell of aluminium"


def _network(cls: type[NetworkBackbone], device: str) -> str:
    """Trains for one epoch, where its fields let that be said."""
    from dataclasses import fields, is_dataclass

    from uqbench.api import NetworkRequest
    from uqbench.check.toy_data import ELEMENTS, toy_frames
    from uqbench.linear.references import fit_references

    named = {field.name for field in fields(cls)} if is_dataclass(cls) else set()
    backbone = cls(**{"epochs": 1} if "epochs" in named else {})
    frames = toy_frames()[:12]
    request = NetworkRequest(frames, ELEMENTS, fit_references(frames, ELEMENTS), 0, device)
    network = backbone.train(request)
    (found,) = network.predict([frames[0].atoms], device)
    if not math.isfinite(found.energy):
        raise UqbenchError(f"a network trained on {device} predicts an energy of {found.energy}.")
    return "a network trained for one epoch on twelve cells of 4 atoms, and its prediction"
