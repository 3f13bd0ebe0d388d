"""Positions and cell relaxed together: converged in forces and in stress, or an error with both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array
from uqbench.errors import UqbenchError
from uqbench.properties.failures import NotConvergedError, UnstableError
from uqbench.properties.relax import DISPLACEMENT, TOLERANCE, Relaxation, anything, downhill

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from uqbench.properties.coordinates import PositionsAndCell

STRESS_TOLERANCE = 1e-6
"""Largest component of the stress that counts as relaxed, eV/Å³: 0.16 MPa."""
LARGEST_STRAIN = 0.3
"""Beyond which a relaxing cell is given up: it collapses or evaporates."""


@dataclass(frozen=True)
class CellRelaxation(Relaxation):
    """As Relaxation; largest_stress: largest component, eV/Å³."""

    largest_stress: float


def strain_length(atoms: Atoms) -> float:
    """√N (V/N)^(1/3), Å: a strain times it is as stiff as a displacement of all atoms by its components."""
    return float(np.sqrt(len(atoms)) * np.cbrt(atoms.get_volume() / len(atoms)))


def relax_cell(
    atoms: Atoms,
    calculator: Calculator,
    tolerance: float = TOLERANCE,
    stress_tolerance: float = STRESS_TOLERANCE,
    max_steps: int = 200,
    watch: Callable[[Atoms], None] = anything,
) -> CellRelaxation:
    """Positions and cell of least energy, by L-BFGS on displacements and the logarithm of the strain.

    tolerance, stress_tolerance: largest force on an atom, eV/Å, and component of the stress, eV/Å³. The structure
    given stays as it is. Symmetry of the start is kept; the cell does not turn. watch: as in relax.
    Raises NotConvergedError with the last force and stress, where the cell is strained beyond LARGEST_STRAIN, and
    with the words of a potential that fails on the way; what it says at the start is passed on.
    """
    from ase.filters import FrechetCellFilter

    class Finite(FrechetCellFilter):
        """Names forces that are no numbers; what computes the logarithm of the strain would fail on them."""

        def get_forces(self, **kwargs: bool) -> Array:
            if not (
                np.isfinite(self.atoms.get_forces()).all() and np.isfinite(self.atoms.get_stress()).all()
            ):
                raise UqbenchError("forces or stress are not finite.")
            return np.asarray(super().get_forces(**kwargs), dtype=np.float64)

    moving = atoms.copy()
    moving.calc = calculator
    found = _state(moving, 1)  # a potential that fails where it starts is the caller's error
    optimiser = downhill(Finite(moving, exp_cell_factor=strain_length(atoms)))
    try:
        for _ in optimiser.irun(fmax=0.0, steps=max_steps):
            found = _state(moving, optimiser.nsteps + 1)
            if _at_rest(found, tolerance, stress_tolerance):
                break
            _check_strain(atoms, moving)
            watch(moving)
    except UnstableError:
        raise
    except UqbenchError as error:
        raise NotConvergedError(
            f"{atoms.get_chemical_formula()}: the relaxation of the cell failed in step {optimiser.nsteps}: {error}"
        ) from error
    return _converged(found, tolerance, stress_tolerance)


def polish_cell(
    coordinates: PositionsAndCell,
    calculator: Calculator,
    hessian: Array,
    tolerance: float = 1e-9,
    max_steps: int = 20,
) -> CellRelaxation:
    """Newton steps from q = 0, near a minimum, with a Hessian (M, M) in these coordinates, eV/Å².

    tolerance: largest force on an atom, eV/Å, and component of the stress, eV/Å³. Raises NotConvergedError.
    """
    q, steps = np.zeros(coordinates.basis.shape[1]), 0
    while True:
        moving = coordinates.at(q)
        moving.calc = calculator
        found = _state(moving, steps + 1)
        if steps == max_steps or _at_rest(found, tolerance, tolerance):
            return _converged(found, tolerance, tolerance)
        q += np.linalg.solve(hessian, coordinates.forces(q, _values(moving)))
        steps += 1


def curvature(coordinates: PositionsAndCell, calculator: Calculator) -> Array:
    """(M, M) second derivatives of a potential's energy at q = 0, eV/Å², by central differences of its forces."""
    columns = []
    for unit in np.eye(coordinates.basis.shape[1]):
        ends = []
        for step in (DISPLACEMENT * unit, -DISPLACEMENT * unit):
            moving = coordinates.at(step)
            moving.calc = calculator
            ends.append(coordinates.forces(step, _values(moving)))
        columns.append((ends[1] - ends[0]) / (2 * DISPLACEMENT))
    raw = np.array(columns)
    return 0.5 * (raw + raw.T)


def _values(moving: Atoms) -> Array:
    """(1 + 3N + 6,) energy per atom, forces and stress, in the order of a backbone's rows."""
    energy = moving.get_potential_energy() / len(moving)
    return np.concatenate([[energy], moving.get_forces().ravel(), moving.get_stress()])


def _state(moving: Atoms, evaluations: int) -> CellRelaxation:
    resting = moving.copy()
    resting.calc = None
    forces, stress = moving.get_forces(), moving.get_stress()
    return CellRelaxation(
        resting,
        float(moving.get_potential_energy()),
        float(np.linalg.norm(forces, axis=1).max()),
        evaluations,
        float(np.abs(stress).max()),
    )


def _at_rest(found: CellRelaxation, tolerance: float, stress_tolerance: float) -> bool:
    return found.largest_force <= tolerance and found.largest_stress <= stress_tolerance


def _converged(found: CellRelaxation, tolerance: float, stress_tolerance: float) -> CellRelaxation:
    if not _at_rest(found, tolerance, stress_tolerance):
        raise NotConvergedError(
            f"{found.atoms.get_chemical_formula()}: did not converge: the largest force is "
            f"{found.largest_force:.3g} eV/Å and the largest stress {found.largest_stress:.3g} eV/Å³ after "
            f"{found.evaluations} evaluations; {tolerance:g} eV/Å and {stress_tolerance:g} eV/Å³ are asked for."
        )
    return found


def _check_strain(before: Atoms, after: Atoms) -> None:
    change = np.linalg.solve(before.cell.array, after.cell.array) - np.eye(3)
    if not np.abs(change).max() <= LARGEST_STRAIN:
        raise UqbenchError(f"the cell is strained by {np.abs(change).max():.2f}.")
