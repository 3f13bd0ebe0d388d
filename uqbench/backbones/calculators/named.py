"""A member of a committee as an ASE calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase.calculators.calculator import PropertyNotImplementedError

from uqbench.api import NotApplicable
from uqbench.backbones.calculators.member import Member
from uqbench.backbones.whole_calculator import WholeCalculator

if TYPE_CHECKING:
    from ase import Atoms


class NamedCalculator(WholeCalculator):
    """Energy with the member's offsets, forces and stress, all at once.

    Errors are UqbenchErrors that name the calculator; asked for a stress that it does not give, it raises
    NotApplicable.
    """

    def __init__(self, member: Member) -> None:
        super().__init__()
        self.member = member

    @property
    def called(self) -> str:
        """The member's name."""
        return self.member.name

    def compute(self, structure: Atoms) -> dict[str, Any]:
        """All that the member gives."""
        found = self.member.properties(structure, "a structure")
        results = {"energy": found.energy, "free_energy": found.energy, "forces": found.forces}
        return results if found.stress is None else results | {"stress": found.stress}

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """As ASE's, but what has no stress is not applicable where one is needed."""
        try:
            return super().get_property(name, atoms, allow_calculation)
        except PropertyNotImplementedError:
            if name != "stress":
                raise
            raise NotApplicable(f"{self.member.name} gives no stress, which this task needs.") from None
