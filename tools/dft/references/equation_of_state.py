"""Lattice constant, bulk modulus and energy of the ground state, from energies and, as a check, from stresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from tools.dft.cells import crystal, scaled
from tools.dft.fits import EquationOfState, fit_energies, fit_pressures
from tools.dft.material import Lattice
from tools.dft.record import Record
from tools.dft.references.study import (
    Effects,
    Study,
    Variant,
    reference,
    said,
    significant,
)
from tools.dft.settings import Mesh
from tools.dft.units import GPA
from uqbench.data.card import ReferenceProperty

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Ground:
    """lattice: of the minimum, rounded to 10⁻⁴ Å, where all further references are computed.

    mesh: of the primitive cell. energies: eV/atom, by tags of variants of the settings.
    """

    lattice: Lattice
    mesh: Mesh
    energies: Mapping[str, float]

    @property
    def energy(self) -> float:
        """With the settings of the labels."""
        return self.energies[""]


def ground_state(study: Study) -> tuple[Ground, list[ReferenceProperty]]:
    """Properties lattice_constant, bulk_modulus and energy_per_atom."""
    material, asked = study.material, study.material.references.equation_of_state
    start = material.phases[material.ground]
    cell = crystal(material.ground, material.element, start, "primitive")
    mesh = study.mesh(cell)
    variants = study.variants(mesh, asked.denser)
    group = f"eos_{material.ground}"
    found = {v.tag: volumes_of(study, group, cell, v, asked.scales) for v in variants}
    fits = {tag: fit_of(records) for tag, records in found.items()}
    records, fit = found[""], fits[""]

    def constant(volume: float) -> float:
        return start.a * (volume * len(cell) / cell.get_volume()) ** (1 / 3)

    volumes = np.array([record.volume for record in records])
    raw = np.array([record.pressure for record in records])
    corrected = raw - study.slope.pressure(1.0) / volumes
    by_raw, by_stress = fit_pressures(volumes, raw), fit_pressures(volumes, corrected)
    a = constant(fit.volume)
    changed = {
        "a": Effects.of(variants, {tag: constant(one.volume) for tag, one in fits.items()}),
        "B": Effects.of(variants, {tag: one.modulus * GPA for tag, one in fits.items()}),
        "E": Effects.of(variants, {tag: one.energy for tag, one in fits.items()}),
    }
    lattice = Lattice(a=round(a, 4))
    lowest, highest = (f"{100 * (scale**3 - 1):+.0f} %" for scale in (asked.scales[0], asked.scales[-1]))
    method = (
        f"Birch-Murnaghan fit to energies at {len(asked.scales)} volumes, {lowest} to {highest}, mesh {said(mesh)}; "
        f"error: what a {variants[1].words} and a {variants[2].words} change, and the difference to stresses at fixed "
        "cutoff (energy: without the last)"
    )
    protocol: dict[str, JsonValue] = {
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
            changed["a"].error(a - constant(by_stress.volume)),
            protocol=protocol
            | {
                "effect_of_settings_A": changed["a"].for_protocol(),
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
            changed["B"].error((fit.modulus - by_stress.modulus) * GPA, fit.modulus_error * GPA),
            protocol=protocol
            | {
                "effect_of_settings_GPa": changed["B"].for_protocol(),
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
            changed["E"].error(),
            protocol=protocol | {"effect_of_settings_eV_per_atom": changed["E"].for_protocol()},
            **shared,
        ),
    ]
    return Ground(lattice, mesh, {tag: one.energy for tag, one in fits.items()}), properties


def volumes_of(
    study: Study, group: str, cell: Atoms, variant: Variant, scales: Sequence[float]
) -> list[Record]:
    """Records of a cell at scales of its lengths."""
    calculations = [
        study.calculation(f"{group}_{s:.4f}", group, scaled(cell, s), variant.mesh, scale=s) for s in scales
    ]
    return study.laboratory.good([study.varied(c, variant) for c in calculations])


def fit_of(records: Sequence[Record]) -> EquationOfState:
    """Equation of state through energies of records."""
    return fit_energies(np.array([r.volume for r in records]), np.array([r.per_atom for r in records]))
