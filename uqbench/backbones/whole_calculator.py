"""ASE calculators that compute all they give at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import Calculator, all_changes

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms


class WholeCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³), as far as compute gives them."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 (ASE's convention)

    @abstractmethod
    def compute(self, structure: Atoms) -> dict[str, Any]:
        """Results by ASE's names."""

    @property
    def called(self) -> str:
        """For people."""
        return type(self).__name__

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties at once."""
        super().calculate(atoms, list(properties), list(system_changes))
        if self.atoms is None:
            raise UqbenchError(f"{self.called} was called without a structure; pass atoms.")
        self.results = self.compute(self.atoms)
