"""Lattice constant, bulk modulus and energy of the ground state, from energies and, as a check, from stresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.dft.cells import crystal, scaled
from tools.dft.fits import EquationOfState, fit_energies, fit_pressures
from tools.dft.material import Lattice
from tools.dft.record import Record
from tools.dft.references.study import Study, reference, said, significant
from tools.dft.settings import Mesh, denser
from tools.dft.units import GPA
from uqbench.data.card import ReferenceProperty

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Ground:
    """lattice: of the minimum, rounded to 10⁻⁴ Å, where all further references are computed. energy: eV/atom.

    mesh: of the primitive cell. dense: the denser one, and energy_dense with it.
    """

    lattice: Lattice
    energy: float
    energy_dense: float
    mesh: Mesh
    dense: Mesh


def ground_state(study: Study) -> tuple[Ground, list[ReferenceProperty]]:
    """Properties lattice_constant, bulk_modulus and energy_per_atom."""
    material, asked = study.material, study.material.references.equation_of_state
    start = material.phases[material.ground]
    cell = crystal(material.ground, material.element, start, "primitive")
    mesh = study.mesh(cell)
    dense = denser(mesh, asked.denser)
    group = f"eos_{material.ground}"
    records = volumes_of(study, group, cell, mesh, asked.scales)
    fit, fit_dense = fit_of(records), fit_of(volumes_of(study, f"{group}_dense", cell, dense, asked.scales))

    def constant(volume: float) -> float:
        return start.a * (volume * len(cell) / cell.get_volume()) ** (1 / 3)

    volumes = np.array([record.volume for record in records])
    raw = np.array([record.pressure for record in records])
    corrected = raw - study.slope.pressure(1.0) / volumes
    by_raw, by_stress = fit_pressures(volumes, raw), fit_pressures(volumes, corrected)
    a, a_dense = constant(fit.volume), constant(fit_dense.volume)
    lattice = Lattice(a=round(a, 4))
    lowest, highest = (f"{100 * (scale**3 - 1):+.0f} %" for scale in (asked.scales[0], asked.scales[-1]))
    method = (
        f"Birch-Murnaghan fit to energies at {len(asked.scales)} volumes, {lowest} to {highest}, mesh {said(mesh)}; "
        f"error: largest difference to mesh {said(dense)} and to stresses at fixed cutoff (energy: to the mesh)"
    )
    protocol = {
        "cell": f"{len(cell)} atoms, primitive",
        "scales_of_length": list(asked.scales),
        "fit": "Birch-Murnaghan",
        "fit_rms_meV_per_atom": significant(1e3 * fit.residual, 3),
    }
    shared = {"lattice": lattice, "config_types": (group,), "method": method}
    properties = [
        reference(
            study,
            "lattice_constant",
            a,
            "Å",
            max(abs(a - a_dense), abs(a - constant(by_stress.volume))),
            protocol=protocol
            | {
                "dense_k": significant(a_dense),
                "from_stress": significant(constant(by_stress.volume)),
                "from_stress_of_fixed_plane_waves": significant(constant(by_raw.volume)),
            },
            **shared,
        ),
        reference(
            study,
            "bulk_modulus",
            fit.modulus * GPA,
            "GPa",
            max(
                abs(fit.modulus - fit_dense.modulus),
                abs(fit.modulus - by_stress.modulus),
                fit.modulus_error,
            )
            * GPA,
            protocol=protocol
            | {
                "dense_k": significant(fit_dense.modulus * GPA),
                "derivative": significant(fit.derivative, 4),
                "from_stress": significant(by_stress.modulus * GPA),
                "from_stress_of_fixed_plane_waves": significant(by_raw.modulus * GPA),
            },
            **shared,
        ),
        reference(
            study,
            "energy_per_atom",
            fit.energy,
            "eV/atom",
            fit.energy - fit_dense.energy,
            protocol=protocol | {"dense_k": significant(fit_dense.energy, 9)},
            **shared,
        ),
    ]
    return Ground(lattice, fit.energy, fit_dense.energy, mesh, dense), properties


def volumes_of(study: Study, group: str, cell: Atoms, mesh: Mesh, scales: Sequence[float]) -> list[Record]:
    """Records of a cell at scales of its lengths."""
    return study.laboratory.good(
        [study.calculation(f"{group}_{s:.4f}", group, scaled(cell, s), mesh, scale=s) for s in scales]
    )


def fit_of(records: Sequence[Record]) -> EquationOfState:
    """Equation of state through energies of records."""
    return fit_energies(np.array([r.volume for r in records]), np.array([r.per_atom for r in records]))
