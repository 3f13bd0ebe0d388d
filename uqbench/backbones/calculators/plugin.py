"""Potentials of your own, as ASE calculators: --calculators package.module:function, or model files of mace.

Nothing is trained; the method `external` scores them. Cost: as the calculators have it; the bare potential that
costs are compared with is the first of them.
Limits: what a module reads beside its own file is not seen when it is decided whether a stored result still holds: run
with --fresh after a change there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.api import CalculatorBackbone, NotApplicable, Origin
from uqbench.backbones.calculators.sources import WAYS, made_by, origin_of
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Calculators(CalculatorBackbone):
    """A list of finished potentials.

    source: where they come from, joined by "+": package.module:function or file.py:function, called without arguments
    and returning ASE calculators, or model files as mace writes them (pickled: with --trust).
    """

    source: tuple[str, ...] = ()

    def origins(self) -> tuple[Origin, ...]:
        """See Backbone."""
        self._require_source()
        return tuple(origin_of(text) for text in self.source)

    def calculators(self, device: str) -> Sequence[tuple[str, Calculator]]:
        """See CalculatorBackbone. Raises NotApplicable for a device that a function's calculators cannot be put on."""
        self._require_source()
        made: list[tuple[str, Calculator]] = []
        seen: set[str] = set()
        for origin in self.origins():
            identity = origin.sha256 if origin.pickled else origin.given
            if identity in seen:
                raise UqbenchError(f"{origin.given} is named twice; a potential adds no spread to itself.")
            seen.add(identity)
            if origin.pickled:
                from uqbench.backbones.calculators.mace_file import mace_calculator

                made.append((origin.known_as, mace_calculator(Path(origin.given), origin.sha256, device)))
                continue
            if device != "cpu":
                raise NotApplicable(
                    f"the calculators of {origin.given} compute where that function has put them, and uqbench cannot "
                    f"move them to {device}; use --device cpu, whatever they run on."
                )
            made += [(type(one).__name__, one) for one in made_by(origin.given)]
        if len(made) < 2:
            raise UqbenchError(
                f"{', '.join(self.source)}: {_count(len(made))}; a spread needs two calculators at least, each another "
                "potential (other training seeds, data or parameters)."
            )
        if len({id(one) for _, one in made}) < len(made):
            raise UqbenchError(
                f"{', '.join(self.source)}: the same calculator object comes several times; make one for each member."
            )
        return [(f"calculator {number} ({name})", one) for number, (name, one) in enumerate(made)]

    def _require_source(self) -> None:
        if not self.source:
            raise UqbenchError(f"no calculators are named; name them with --calculators: {WAYS}.")


def _count(number: int) -> str:
    return "one calculator came of it" if number else "no calculator came of it"
