"""A member of a committee as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from uqbench.api import NotApplicable
from uqbench.backbones.calculators.member import Member
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms


class NamedCalculator(Calculator):
    """Energy with the member's offsets, forces and stress, all at once.

    Errors are UqbenchErrors that name the calculator; asked for a stress that it does not give, it raises
    NotApplicable.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 (ASE's convention)

    def __init__(self, member: Member) -> None:
        super().__init__()
        self.member = member

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all that the member gives."""
        super().calculate(atoms, list(properties), list(system_changes))
        structure = self.atoms
        if structure is None:
            raise UqbenchError(f"{self.member.name} was called without a structure; pass atoms.")
        found = self.member.properties(structure, "a structure")
        self.results: dict[str, Any] = {"energy": found.energy, "free_energy": found.energy}
        self.results["forces"] = found.forces
        if found.stress is not None:
            self.results["stress"] = found.stress

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """As ASE's, but what has no stress is not applicable where one is needed."""
        try:
            return super().get_property(name, atoms, allow_calculation)
        except PropertyNotImplementedError:
            if name != "stress":
                raise
            raise NotApplicable(f"{self.member.name} gives no stress, which this task needs.") from None
