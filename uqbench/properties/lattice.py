"""Lattice constant, bulk modulus and elastic constants of a cubic crystal, for any potential.

Elastic constants are stress-strain slopes. With ε symmetric, u the internal displacements at fixed fractional
coordinates, H = -∂f/∂u: dσ/dε = ∂σ/∂ε + (∂σ/∂u) H⁻¹ (∂f/∂ε), which at zero stress is C = (K - LᵀH⁻¹L)/V with
L = -∂f/∂ε = V (∂σ/∂u)ᵀ. Under a stress σ (tension positive, isotropic) the clamped slopes are K11/V,
K12/V - σ, K44/V + σ/2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.properties.crystal import Crystal
from uqbench.properties.failures import UnstableError
from uqbench.properties.relax import DISPLACEMENT

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

STRAIN = 1e-4
"""Step of central differences in strain."""
WINDOW = 0.05
"""Share of the lattice constant searched on either side for zero stress."""
CONSTANTS = ("lattice_constant", "bulk_modulus", "C11", "C12", "C44", "C44_unrelaxed")
"""What cubic_constants gives: Å, then GPa."""
UNIAXIAL, SHEAR = 0, 3
"""The two strains, in Voigt's order, that give all constants of a cubic crystal."""


def lattice_constant(crystal: Crystal, calculator: Calculator) -> float:
    """Where the stress of the ideal crystal vanishes and its slope is positive, nearest to crystal.a; Å.

    Raises UnstableError if there is no such place within 5 % of crystal.a.
    """
    from scipy.optimize import root_scalar

    def stress(scale: float) -> float:
        atoms = crystal.at(crystal.a * scale).primitive()
        atoms.calc = calculator
        return float(atoms.get_stress()[:3].mean())

    here, before = 1.0, stress(1.0)
    step = -0.01 if before > 0 else 0.01
    while abs(here + step - 1.0) <= WINDOW + 1e-9:
        after = stress(here + step)
        if before * after <= 0:
            low, high = sorted((here, here + step))
            return crystal.a * float(root_scalar(stress, bracket=(low, high), xtol=1e-11).root)
        here, before = here + step, after
    raise no_lattice_constant(crystal)


def no_lattice_constant(crystal: Crystal) -> UnstableError:
    """The error of a potential without a lattice constant near crystal.a."""
    return UnstableError(
        f"{crystal.structure} {crystal.symbol}: the stress does not vanish within {WINDOW:.0%} of "
        f"a = {crystal.a:.4f} Å."
    )


def stress_slopes(atoms: Atoms, calculator: Calculator, strains: Sequence[int]) -> tuple[Array, Array]:
    """Slopes dσ_i/dε_j (6, len(strains)) with clamped and with relaxed atoms, eV/Å³, of a structure at rest.

    strains: indices j into Voigt's order; of shear, the engineering strain (twice the tensor's component).
    Raises UnstableError if the structure is not a minimum in its internal coordinates.
    """

    def respond(shift: Array, voigt: Array) -> tuple[Array, Array]:
        moved = strained(atoms, voigt)
        moved.positions[1:] += shift.reshape(-1, 3)
        moved.calc = calculator
        return moved.get_forces()[1:].ravel(), moved.get_stress()

    # The first atom stays: uniform displacements change nothing.
    n_internal = 3 * (len(atoms) - 1)
    unmoved, unstrained = np.zeros(n_internal), np.zeros(6)
    by_strain = [_central(lambda e: respond(unmoved, e), 6, j, STRAIN) for j in strains]
    clamped = np.array([stress for _, stress in by_strain]).T
    if not n_internal:
        return clamped, clamped
    by_shift = [
        _central(lambda u: respond(u, unstrained), n_internal, k, DISPLACEMENT) for k in range(n_internal)
    ]
    hessian = -np.array([forces for forces, _ in by_shift])
    hessian = 0.5 * (hessian + hessian.T)
    softest = np.linalg.eigvalsh(hessian)[0]
    if not softest > 0:
        raise UnstableError(
            f"{atoms.get_chemical_formula()}: an internal displacement has curvature {softest:.3g} eV/Å²; the "
            "crystal is not a minimum."
        )
    forces = np.array([forces for forces, _ in by_strain]).T
    by_relaxation = np.array([stress for _, stress in by_shift]).T @ np.linalg.solve(hessian, forces)
    return clamped, clamped + by_relaxation


def cubic_constants(crystal: Crystal, calculator: Calculator) -> Mapping[str, float]:
    """The CONSTANTS at the potential's own lattice constant, sought near crystal.a.

    Raises UnstableError: no lattice constant, Born's criteria violated, or not a minimum inside the cell.
    """
    a = lattice_constant(crystal, calculator)
    clamped, relaxed = stress_slopes(crystal.at(a).primitive(), calculator, (UNIAXIAL, SHEAR))
    found = named_constants(a, relaxed[0, 0], relaxed[1:3, 0].mean(), relaxed[3, 1], clamped[3, 1])
    if reason := violated(crystal, found):
        raise UnstableError(reason)
    return found


def named_constants(a: float, c11: float, c12: float, c44: float, c44_unrelaxed: float) -> dict[str, float]:
    """The CONSTANTS from a in Å and slopes in eV/Å³; without stress the bulk modulus is (C11 + 2 C12)/3."""
    from ase.units import GPa

    slopes = ((c11 + 2 * c12) / 3, c11, c12, c44, c44_unrelaxed)
    return dict(zip(CONSTANTS, (float(a), *(float(s / GPa) for s in slopes)), strict=True))


def violated(crystal: Crystal, constants: Mapping[str, float]) -> str:
    """Which of Born's criteria of a cubic crystal without stress the constants violate; "" if none."""
    c11, c12 = constants["C11"], constants["C12"]
    moduli = {"C11 - C12": c11 - c12, "C11 + 2 C12": c11 + 2 * c12, "C44": constants["C44"]}
    bad = [f"{name} = {value:.3g} GPa" for name, value in moduli.items() if not value > 0]
    if not bad:
        return ""
    return f"{crystal.structure} {crystal.symbol}: unstable against strain: {', '.join(bad)}."


def strained(atoms: Atoms, voigt: Array) -> Atoms:
    """A copy under the symmetric strain voigt (6,), fractional coordinates kept."""
    xx, yy, zz, yz, xz, xy = voigt * [1, 1, 1, 0.5, 0.5, 0.5]
    deformation = np.array([[1 + xx, xy, xz], [xy, 1 + yy, yz], [xz, yz, 1 + zz]])
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return copy


def _central(
    respond: Callable[[Array], tuple[Array, Array]], size: int, k: int, step: float
) -> tuple[Array, Array]:
    """Derivatives of forces and stress along the unit vector k."""
    direction = step * np.eye(size)[k]
    (f1, s1), (f0, s0) = respond(direction), respond(-direction)
    return (f1 - f0) / (2 * step), (s1 - s0) / (2 * step)
