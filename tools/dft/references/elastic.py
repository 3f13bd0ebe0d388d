"""C11, C12 and C44 of a cubic crystal: slopes of stress against strain at zero, atoms relaxed and clamped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.dft.cells import crystal, deformed
from tools.dft.fits import slope_at_zero
from tools.dft.references.equation_of_state import Ground
from tools.dft.references.study import Study, reference, said, significant
from tools.dft.settings import Mesh
from uqbench.api import Array
from uqbench.data.card import ReferenceProperty

FORCE = 1e-3
"""eV/Å; left by the internal relaxation."""


@dataclass(frozen=True)
class _Constants:
    """Value and standard error of each, GPa."""

    values: dict[str, float]
    errors: dict[str, float]


def elastic_constants(study: Study, ground: Ground) -> list[ReferenceProperty]:
    """Properties C11, C12, C44 and, with more than one atom a cell, C44_unrelaxed."""
    material = study.material
    strains = material.references.elastic.strains
    several = len(crystal(material.ground, material.element, ground.lattice, "primitive")) > 1
    found = _constants(study, ground, "", ground.mesh, several)
    dense = _constants(study, ground, "_dense", ground.dense, several)
    properties = []
    for name, value in found.values.items():
        relaxed = several and not name.endswith("unrelaxed")
        group = f"elastic_{'yz' if '44' in name else 'xx'}{'_relaxed' if relaxed else ''}"
        properties.append(
            reference(
                study,
                name,
                value,
                "GPa",
                max(abs(value - dense.values[name]), found.errors[name]),
                f"stress at fixed cutoff at strains {', '.join(f'{100 * s:+g} %' for s in strains)} about "
                f"a = {ground.lattice.a:.4f} Å, {'atoms relaxed, ' if relaxed else ''}quadratic fit, slope at zero; "
                f"mesh {said(ground.mesh)}; error: difference to mesh {said(ground.dense)}, standard error of the fit",
                ground.lattice,
                (group,),
                {
                    "strains": list(strains),
                    "strain": "yz = zy, given as tensor component" if "44" in name else "xx",
                    "a": ground.lattice.a,
                    "internal_relaxation": relaxed,
                    "dense_k": significant(dense.values[name]),
                    "fit_stderr_GPa": significant(found.errors[name], 2),
                },
            )
        )
    return properties


def _constants(study: Study, ground: Ground, tag: str, mesh: Mesh, several: bool) -> _Constants:
    values, errors = {}, {}
    ways = (("", 0.0), ("_relaxed", FORCE)) if several else (("", 0.0),)
    for suffix, relax in ways:
        axial, lateral, shear = _stresses(study, ground, suffix, tag, mesh, relax)
        strains = np.array(study.material.references.elastic.strains)
        slopes = {
            "C11": slope_at_zero(strains, axial),
            "C12": slope_at_zero(strains, lateral),
            "C44": slope_at_zero(2 * strains, shear),
        }
        if several and not relax:
            # Axial strain moves no atom of a cubic crystal; only the shear constant has two values.
            slopes = {"C44_unrelaxed": slopes["C44"]}
        values |= {name: value for name, (value, _) in slopes.items()}
        errors |= {name: error for name, (_, error) in slopes.items()}
    return _Constants(values, errors)


def _stresses(
    study: Study, ground: Ground, suffix: str, tag: str, mesh: Mesh, relax: float
) -> tuple[Array, Array, Array]:
    """σ_xx and mean of σ_yy, σ_zz under strain xx, and σ_yz under strain yz; (n_strains,) GPa each."""
    material = study.material
    cell = crystal(material.ground, material.element, ground.lattice, "primitive")
    calculations = []
    for kind, (i, j) in (("xx", (0, 0)), ("yz", (1, 2))):
        for strain in material.references.elastic.strains:
            tensor = np.zeros((3, 3))
            tensor[i, j] = tensor[j, i] = strain
            group = f"elastic_{kind}{suffix}"
            atoms = deformed(cell, np.eye(3) + tensor)
            name = f"{group}{tag}_{strain:+.4f}"
            calculations.append(study.calculation(name, group + tag, atoms, mesh, relax, strain=strain))
    stresses = np.array([study.stress(record) for record in study.laboratory.good(calculations)])
    axial, shear = np.split(stresses, 2)
    return axial[:, 0, 0], 0.5 * (axial[:, 1, 1] + axial[:, 2, 2]), shear[:, 1, 2]
