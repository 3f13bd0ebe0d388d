"""A SNAP potential with given coefficients, as an ASE calculator on LAMMPS's pair_style snap."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api.prediction import Array
from uqbench.backbones.lammps_potential import LammpsCalculator
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from uqbench.backbones.snap import Snap


class SnapCalculator(LammpsCalculator):
    """A SNAP with coefficients (P,) in the order of Snap's columns.

    Raises UqbenchError for a wrong number of coefficients and for an element not in elements.
    """

    def __init__(self, snap: Snap, coefficients: Array, elements: tuple[str, ...]) -> None:
        values = np.asarray(coefficients, dtype=np.float64)
        if values.shape != (snap.n_features(elements),) or not np.isfinite(values).all():
            raise UqbenchError(
                f"SNAP coefficients have shape {values.shape}; {snap.n_features(elements)} finite numbers are "
                f"needed for {', '.join(elements)}."
            )
        blocks = values.reshape(len(elements), -1)
        super().__init__(elements, partial(_write_potential, snap, blocks, elements))


def _write_potential(snap: Snap, blocks: Array, elements: tuple[str, ...], folder: Path) -> str:
    """Write LAMMPS's two files of a SNAP into a folder; returns the commands that use them."""
    from uqbench.backbones.snap import RFAC0

    lines = [f"{len(elements)} {blocks.shape[1]}"]
    for element, weight, block in zip(elements, snap.density_weights(elements), blocks, strict=True):
        lines += [f"{element} 0.5 {weight!r}", *map(repr, block.tolist())]
    parameters = {
        "rcutfac": snap.cutoff,
        "twojmax": snap.twojmax,
        "rfac0": RFAC0,
        "rmin0": 0.0,
        "bzeroflag": 0,
        "quadraticflag": int(snap.quadratic),
        "switchflag": 1,
    }
    coefficient_file, parameter_file = folder / "model.snapcoeff", folder / "model.snapparam"
    coefficient_file.write_text("\n".join(lines) + "\n")
    parameter_file.write_text("".join(f"{name} {value}\n" for name, value in parameters.items()))
    return f"""pair_style snap
        pair_coeff * * "{coefficient_file}" "{parameter_file}" {" ".join(elements)}"""
