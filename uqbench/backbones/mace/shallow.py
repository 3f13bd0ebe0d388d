"""A trained network with several readouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Properties, Readouts
from uqbench.backbones.mace.calculator import MaceCalculator
from uqbench.backbones.mace.trained import TrainedMace

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, eq=False)
class ShallowMace(TrainedMace):
    """The network of the mean readout, and by how much the others' weights differ from it.

    variant: what was asked for. readouts: {"deviations": (M, P)}, eV; their mean is zero.
    """

    format: ClassVar[str] = "uqbench mace readouts 1"
    arrays: ClassVar[tuple[str, ...]] = ("state", "readouts")
    variant_of: ClassVar[type] = Readouts

    variant: Readouts = field(default_factory=Readouts)
    readouts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def coefficients(self) -> Array:
        """(M, n_elements + P) of all readouts, eV; constants of the elements are the same for all."""
        deviations = self.readouts["deviations"].astype(np.float64)
        constants = np.zeros((len(deviations), len(self.elements)))
        return self.weights + np.concatenate([constants, deviations], axis=1)

    def predict_members(self, structures: Sequence[Atoms], device: str = "cpu") -> list[list[Properties]]:
        """What each readout's potential predicts, from one set of design rows; see CommitteeNetwork."""
        coefficients = self.coefficients
        members: list[list[Properties]] = [[] for _ in coefficients]
        for atoms, rows in zip(structures, self.rows(structures, device), strict=True):
            n, reference = len(atoms), self.reference_energy(atoms)
            for member, values in zip(members, (rows @ coefficients.T).T, strict=True):
                stress = values[1 + 3 * n :] if len(values) > 1 + 3 * n else None
                energy = n * float(values[0]) + reference
                member.append(Properties(energy, values[1 : 1 + 3 * n].reshape(n, 3), stress))
        return members

    def member_calculators(self, device: str = "cpu") -> list[MaceCalculator]:
        """Each readout's potential."""
        return [MaceCalculator(self, values, self.references, device) for values in self.coefficients]
