"""Positions relaxed at fixed cell: converged, or an error with the last force."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.properties.failures import NotConvergedError, UnstableError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from ase.filters import Filter
    from ase.optimize import LBFGS

TOLERANCE = 1e-5
"""Largest force on an atom that counts as relaxed, eV/Å."""
STIFFNESS = 15.0
"""First guess of the curvature, eV/Å²: stiff modes of metals and semiconductors have 10 to 40."""
DISPLACEMENT = 1e-4
"""Step of central differences, Å."""


@dataclass(frozen=True)
class Relaxation:
    """atoms: relaxed, without calculator. energy: eV. largest_force: eV/Å. evaluations: calls of the potential."""

    atoms: Atoms
    energy: float
    largest_force: float
    evaluations: int


def anything(atoms: Atoms) -> None:
    """Watches a relaxation and lets all of it pass."""


def relax(
    atoms: Atoms,
    calculator: Calculator,
    tolerance: float = TOLERANCE,
    max_steps: int = 100,
    watch: Callable[[Atoms], None] = anything,
) -> Relaxation:
    """Positions of least energy at fixed cell by L-BFGS, forces below tolerance (eV/Å); atoms stay as they are.

    Symmetry of the start is kept: an instability that breaks it is not seen. watch: called with the structure after
    every step; raises UnstableError where it is no longer what is sought, and so ends what may be a long way to
    somewhere else.
    Raises NotConvergedError with the last force, or with the words of a potential that fails on the way; what it
    says at the start is passed on.
    """
    moving = atoms.copy()
    moving.calc = calculator
    moving.get_forces()  # a potential that fails where it starts is the caller's error
    optimiser = downhill(moving)
    try:
        for _ in optimiser.irun(fmax=tolerance, steps=max_steps):
            watch(moving)
        found = _state(moving, optimiser.nsteps + 1)
    except UnstableError:
        raise
    except UqbenchError as error:
        raise NotConvergedError(
            f"{_name(atoms)}: the relaxation failed in step {optimiser.nsteps}: {error}"
        ) from error
    return _converged(found, tolerance)


def downhill(moving: Atoms | Filter) -> LBFGS:
    """L-BFGS that does not believe negative curvature; ASE's would run up to a saddle point or maximum."""
    from ase.optimize import LBFGS

    class Downhill(LBFGS):
        """L-BFGS with STIFFNESS in place of curvature that is not positive."""

        def update(self, pos: Array, forces: Array, r0: Array, f0: Array) -> None:
            if r0 is not None and np.sum((pos - r0) * (f0 - forces)) <= 0:
                f0 = forces + STIFFNESS * (pos - r0)
            super().update(pos, forces, r0, f0)

    # ASE's annotation leaves out filters, which its optimisers are made for.
    return Downhill(moving, logfile=os.devnull, alpha=STIFFNESS)  # pyright: ignore[reportArgumentType]


def hessian(atoms: Atoms, calculator: Calculator) -> Array:
    """(3N, 3N) second derivatives of the energy, eV/Å², symmetric, by central differences of forces (6N calls)."""
    moving = atoms.copy()
    moving.calc = calculator
    at_rest = atoms.positions.ravel()
    columns = []
    for k in range(at_rest.size):
        forces = []
        for sign in (1.0, -1.0):
            shifted = at_rest.copy()
            shifted[k] += sign * DISPLACEMENT
            moving.positions = shifted.reshape(-1, 3)
            forces.append(moving.get_forces().ravel())
        columns.append((forces[1] - forces[0]) / (2 * DISPLACEMENT))
    raw = np.array(columns)
    return 0.5 * (raw + raw.T)


def _state(moving: Atoms, evaluations: int) -> Relaxation:
    forces, energy = moving.get_forces(), moving.get_potential_energy()
    resting = moving.copy()
    resting.calc = None
    return Relaxation(resting, float(energy), float(np.linalg.norm(forces, axis=1).max()), evaluations)


def _converged(found: Relaxation, tolerance: float) -> Relaxation:
    # Not "greater than": a force that is no number has not converged either.
    if not found.largest_force <= tolerance:
        raise NotConvergedError(
            f"{_name(found.atoms)}: did not converge: the largest force is {found.largest_force:.3g} eV/Å after "
            f"{found.evaluations} evaluations; {tolerance:g} eV/Å is asked for."
        )
    return found


def _name(atoms: Atoms) -> str:
    return atoms.get_chemical_formula()
