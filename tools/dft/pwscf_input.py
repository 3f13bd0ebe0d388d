"""The input of pw.x. Folders are given by its environment variables, so the text is the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from tools.dft.calculation import Calculation
from tools.dft.settings import has_vacuum
from tools.dft.units import BOHR, RYDBERG
from uqbench.symmetry import operations

if TYPE_CHECKING:
    from ase import Atoms

ENERGY_TOLERANCE = 1e-6
"""Ry; of a relaxation, beside the largest force."""
EMPTY_BANDS = 2
"""Beyond the share that the settings ask for."""


@dataclass(frozen=True)
class Mixing:
    """How the density is brought to self-consistency: changes the way, not the end."""

    beta: float = 0.7
    mode: str = "plain"
    diagonalization: str = "david"
    steps: int = 80


GENTLER = (Mixing(), Mixing(beta=0.3, steps=150), Mixing(0.2, "local-TF", "cg", 200))
"""What is tried one after the other."""


def input_text(calculation: Calculation, mixing: Mixing = GENTLER[0]) -> str:
    """The input file: Å, Γ-centred or shifted mesh, forces and stress asked for."""
    atoms, species, settings = calculation.atoms, calculation.species, calculation.settings
    pairs = species.electrons * len(atoms) / 2
    kind = "relax" if calculation.relax else "scf"
    control = [f"calculation='{kind}'", "prefix='c'", "tprnfor=.true.", "tstress=.true.", "disk_io='low'"]
    ions = []
    if calculation.relax:
        largest = calculation.relax / (RYDBERG / BOHR)
        control += [f"forc_conv_thr={largest:.6e}", f"etot_conv_thr={ENERGY_TOLERANCE:g}", "nstep=60"]
        ions = ["&ions", " ion_dynamics='bfgs', upscale=1", "/"]
    system = [
        "ibrav=0",
        f"nat={len(atoms)}",
        "ntyp=1",
        f"ecutwfc={settings.cutoff:g}",
        f"ecutrho={4 * settings.cutoff:g}",
        "occupations='smearing'",
        "smearing='mv'",
        f"degauss={settings.width:g}",
        f"nbnd={ceil(settings.bands * pairs) + EMPTY_BANDS}",
        *(["nosym=.true."] if _is_uneven(atoms) else []),
    ]
    electrons = [
        f"conv_thr={settings.threshold * len(atoms):g}",
        f"electron_maxstep={mixing.steps}",
        f"mixing_beta={mixing.beta:g}",
        f"mixing_mode='{mixing.mode}'",
        f"diagonalization='{mixing.diagonalization}'",
    ]
    lines = [
        *_namelist("control", control),
        *_namelist("system", system),
        *_namelist("electrons", electrons),
        *ions,
        "ATOMIC_SPECIES",
        f" {species.symbol} {species.mass:.4f} {species.pseudopotential}",
        "CELL_PARAMETERS angstrom",
        *(" {:.6f} {:.6f} {:.6f}".format(*vector) for vector in atoms.cell.array + 0.0),
        "ATOMIC_POSITIONS angstrom",
        *(f" {species.symbol} " + "{:.6f} {:.6f} {:.6f}".format(*at) for at in atoms.positions + 0.0),
        "K_POINTS automatic",
        " " + " ".join(str(n) for n in (*calculation.mesh, *_shift(calculation))),
    ]
    return "\n".join(lines) + "\n"


def _is_uneven(atoms: Atoms) -> bool:
    """Nothing but identity and inversion: there pw.x adds points by symmetries that the lattice may have, and the
    structure has not, up to four times as many as asked for."""
    found = operations(atoms)
    return found is not None and len(np.unique(found.rotations, axis=0)) <= 2


def _namelist(name: str, fields: list[str]) -> list[str]:
    return [f"&{name}", *(f" {field}" for field in fields), "/"]


def _shift(calculation: Calculation) -> tuple[int, int, int]:
    shift = calculation.settings.shift
    return (shift, shift, 0 if has_vacuum(calculation.atoms) else shift)
