"""C11, C12 and C44 of a cubic crystal: slopes of stress against strain at zero; C44 with atoms relaxed and clamped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.dft.cells import crystal, deformed
from tools.dft.fits import slope_at_zero
from tools.dft.references.equation_of_state import Ground
from tools.dft.references.study import (
    Effects,
    Study,
    Variant,
    reference,
    said,
    significant,
)
from uqbench.api import Array
from uqbench.data.card import ReferenceProperty

FORCE = 1e-3
"""eV/Å; left by the internal relaxation."""
DIRECTIONS = {"xx": (0, 0), "yz": (1, 2)}


@dataclass(frozen=True)
class _Constant:
    """value: GPa. error: standard error of its fit. group: its strained cells, as the reference file names them."""

    value: float
    error: float
    group: str


def elastic_constants(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties C11, C12, C44 and, with more than one atom a cell, C44_unrelaxed."""
    material = study.material
    asked = material.references.elastic
    strains = asked.strains
    several = len(crystal(material.ground, material.element, ground.lattice, "primitive")) > 1
    variants = study.variants(ground.mesh, asked.denser)
    found = {variant.tag: _constants(study, ground, variant, several) for variant in variants}
    properties = []
    for name, constant in found[""].items():
        changed = Effects.of(variants, {tag: some[name].value for tag, some in found.items()})
        relaxed = constant.group.endswith("relaxed")
        properties.append(
            reference(
                study,
                name,
                constant.value,
                "GPa",
                changed.error(constant.error),
                f"stress at fixed cutoff at strains {', '.join(f'{100 * s:+g} %' for s in strains)} about "
                f"a = {ground.lattice.a:.4f} Å, {'atoms relaxed, ' if relaxed else ''}quadratic fit, slope at zero; "
                f"mesh {said(ground.mesh)}; error: what a {variants[1].words} and a {variants[2].words} change, "
                "standard error of the fit",
                ground.lattice,
                (constant.group,),
                {
                    "strains": list(strains),
                    "strain": "yz = zy, given as tensor component" if "44" in name else "xx",
                    "a": ground.lattice.a,
                    "internal_relaxation": several and name != "C44_unrelaxed",
                    "effect_of_settings_GPa": changed.for_protocol(),
                    "fit_stderr_GPa": significant(constant.error, 2),
                },
            )
        )
    return properties


def _constants(study: Study, ground: Ground, variant: Variant, several: bool) -> dict[str, _Constant]:
    """By name. Axial strain moves no atom of a cubic crystal; only the shear constant has two values."""
    strains = np.array(study.material.references.elastic.strains)
    axial = _stresses(study, ground, "xx", variant, 0.0)
    shear = _stresses(study, ground, "yz", variant, 0.0)
    slopes = {
        "C11": (slope_at_zero(strains, axial[:, 0, 0]), "elastic_xx"),
        "C12": (slope_at_zero(strains, 0.5 * (axial[:, 1, 1] + axial[:, 2, 2])), "elastic_xx"),
        "C44": (slope_at_zero(2 * strains, shear[:, 1, 2]), "elastic_yz"),
    }
    if several:
        relaxed = _stresses(study, ground, "yz", variant, FORCE)
        slopes["C44_unrelaxed"] = slopes["C44"]
        slopes["C44"] = (slope_at_zero(2 * strains, relaxed[:, 1, 2]), "elastic_yz_relaxed")
    return {name: _Constant(*slope, group) for name, (slope, group) in slopes.items()}


def _stresses(study: Study, ground: Ground, direction: str, variant: Variant, relax: float) -> Array:
    """(n_strains, 3, 3) under strains of one direction, GPa."""
    material = study.material
    cell = crystal(material.ground, material.element, ground.lattice, "primitive")
    group = f"elastic_{direction}{'_relaxed' if relax else ''}"
    calculations = []
    for strain in material.references.elastic.strains:
        tensor = np.zeros((3, 3))
        i, j = DIRECTIONS[direction]
        tensor[i, j] = tensor[j, i] = strain
        atoms = deformed(cell, np.eye(3) + tensor)
        calculations.append(
            study.calculation(f"{group}_{strain:+.4f}", group, atoms, variant.mesh, relax, strain=strain)
        )
    records = study.laboratory.good([study.varied(c, variant) for c in calculations])
    # The slope with the cutoff is that of the labels' for all: at the higher one it is off by less than 0.1 GPa.
    return np.array([study.stress(record) for record in records])
