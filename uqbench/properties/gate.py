"""Relaxed energies of parameter samples: by one evaluation where that is safe, else by a real relaxation.

A Newton step is trusted if H(θ) is positive definite, no atom moves by 0.1 Å and the decrement at its end is less
than 1 meV. Positive curvature alone catches nothing: ungated, a wild sample can be off by hundreds of eV.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Resampled, Status
from uqbench.properties.implicit import Expansion
from uqbench.properties.relax import anything
from uqbench.properties.resampling import resample

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

LARGEST_DECREMENT = 1e-3
"""eV."""
KICK = 0.02
"""Å, along the softest mode of a sample whose Hessian is not positive definite: off a saddle point."""


@dataclass(frozen=True)
class Gated:
    """result: energies, eV; those accepted were taken from one evaluation, the others relaxed.

    decrement: (n,), eV, the error estimate of the accepted; nan for the others.
    """

    result: Resampled
    decrement: Array

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """(n,)"""
        return self.result.accepted

    @property
    def counts(self) -> dict[str, int]:
        """How many samples were accepted, really relaxed, unstable and not converged."""
        found = self.result.counts
        accepted = int(self.accepted.sum())
        return {
            "accepted": accepted,
            "relaxed": found["ok"] - accepted,
            "unstable": found["unstable"],
            "not converged": found["not converged"],
        }


def gated_energies(
    expansion: Expansion,
    samples: Array,
    watch: Callable[[Atoms], None] = anything,
    start: Atoms | None = None,
) -> Gated:
    """Energies (eV) of the relaxed structure for coefficients (n, P).

    watch: sees every step of those that are really relaxed; raises UnstableError for a structure that is no longer
    what is asked for. start: of real relaxations, which keep its symmetry; without one they begin at the expansion's
    structure, or beside it where that is a saddle point.
    """
    found = expansion.corrected(samples)
    # The decrement is nan, and the comparison false, where there is no step or a long one.
    accepted = found.decrement < LARGEST_DECREMENT
    energies = found.energy[:, None].copy()
    status: list[Status] = ["ok"] * len(samples)
    reasons = [""] * len(samples)
    for i in np.flatnonzero(~accepted):
        near = start or (expansion.atoms if found.stable[i] else _kicked(expansion, samples[i]))

        def measure(potential: Calculator, near: Atoms = near) -> dict[str, float]:
            return {"energy": expansion.coordinates.relaxed(near, potential, watch).energy}

        one = resample(("energy",), measure, [expansion.backbone.potential(samples[i], expansion.elements)])
        energies[i], status[i], reasons[i] = one.values[0], one.status[0], one.reasons[0]
    result = Resampled(("energy",), energies, tuple(status), tuple(reasons), accepted)
    return Gated(result, np.where(accepted, found.decrement, np.nan))


def _kicked(expansion: Expansion, theta: Array) -> Atoms:
    """The structure moved along the softest direction of H(θ)."""
    _, modes = np.linalg.eigh(np.tensordot(theta, expansion.hessian_rows, 1))
    shift = expansion.basis @ modes[:, 0]
    return expansion.coordinates.moved(KICK / expansion.coordinates.longest(shift[None])[0] * shift)
