"""One of a user's calculators: what it raises is named, and what it has computed is not computed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Array, Properties
from uqbench.backbones.store import content_hash
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class Known:
    """Results of structures that one calculator has computed."""

    def __init__(self) -> None:
        self._found: dict[str, Properties] = {}
        self._used = True

    def get(self, atoms: Atoms) -> Properties | None:
        """What is known of a structure, to the last bit of its positions."""
        return self._found.get(content_hash(atoms)) if self._used and self._found else None

    def keep(self, atoms: Atoms, properties: Properties) -> None:
        """Remember a structure."""
        self._found[content_hash(atoms)] = properties

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """As if nothing were known."""
        self._used = False
        try:
            yield
        finally:
            self._used = True


@dataclass(frozen=True, eq=False)
class Member:
    """A calculator with a name. offsets: energy (eV) added for each atom of an element; None for none."""

    name: str
    inner: Calculator
    known: Known = field(default_factory=Known)
    offsets: Mapping[str, float] | None = None

    def aligned(self, offsets: Mapping[str, float]) -> Member:
        """See CommitteeMember."""
        return replace(self, offsets=offsets)

    def compute(self, atoms: Atoms, source: str) -> Properties:
        """Compute and remember a structure. source: names it in messages. Raises UqbenchError."""
        found = evaluate(self.name, self.inner, atoms, source)
        self.known.keep(atoms, found)
        return found

    def predict(self, structures: Sequence[Atoms], device: str = "cpu") -> list[Properties]:
        """See Potential. Raises UqbenchError naming the structure and the calculator that fails."""
        return [self.properties(atoms, f"structure {i}") for i, atoms in enumerate(structures)]

    def properties(self, atoms: Atoms, source: str) -> Properties:
        """Energy with offsets, forces and stress of one structure."""
        shift = self._shift(atoms, source)
        found = self.known.get(atoms) or evaluate(self.name, self.inner, atoms, source)
        return replace(found, energy=found.energy + shift)

    def calculator(self, device: str = "cpu") -> Calculator:
        """See Potential."""
        from uqbench.backbones.calculators.named import NamedCalculator

        return NamedCalculator(replace(self, known=Known()))

    def _shift(self, atoms: Atoms, source: str) -> float:
        if self.offsets is None:
            return 0.0
        symbols = atoms.get_chemical_symbols()
        if unseen := sorted(set(symbols) - set(self.offsets)):
            raise UqbenchError(
                f"{source} holds {', '.join(unseen)}, which the training set (elements: "
                f"{', '.join(self.offsets)}) has no example of: the energy zero of {self.name} is not known for it. "
                "Train on frames that hold it."
            )
        return sum(self.offsets[symbol] for symbol in symbols)


def evaluate(name: str, calculator: Calculator, atoms: Atoms, source: str) -> Properties:
    """Energy, forces and, where it is periodic in three directions and the calculator gives it, stress.

    Raises UqbenchError naming the structure (source), the calculator and its error.
    """
    from ase.calculators.calculator import PropertyNotImplementedError

    where = f"{source} ({atoms.get_chemical_formula()})"
    structure = atoms.copy()
    structure.set_constraint()
    structure.calc = calculator
    try:
        energy = float(structure.get_potential_energy())
        forces = np.array(structure.get_forces(), dtype=np.float64)
    except PropertyNotImplementedError as error:
        raise UqbenchError(
            f"{where}: {name} does not give {error}; energies and forces of every calculator are needed."
        ) from error
    except Exception as error:
        raise UqbenchError(f"{where}: {name} fails: {type(error).__name__}: {error}") from error
    stress = _stress(structure, f"{where}: {name}")
    if forces.shape != (len(atoms), 3):
        raise UqbenchError(
            f"{where}: {name} gives forces of shape {forces.shape}; ({len(atoms)}, 3) is needed."
        )
    for kind, values in (("energy", energy), ("forces", forces), ("stress", stress)):
        if values is not None and not np.all(np.isfinite(values)):
            raise UqbenchError(f"{where}: {name} gives {kind} that is not finite.")
    return Properties(energy, forces, stress)


def _stress(structure: Atoms, told: str) -> Array | None:
    if not structure.pbc.all():
        return None
    try:
        return np.array(structure.get_stress(), dtype=np.float64)
    except NotImplementedError:  # ASE's PropertyNotImplementedError is one
        return None
    except Exception as error:
        raise UqbenchError(f"{told} fails in the stress: {type(error).__name__}: {error}") from error
