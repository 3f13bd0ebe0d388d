"""How a network may differ from a plain potential: in what it gives beside energies, and in how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from uqbench.errors import UqbenchError

Law = Literal["correlated", "white"]
Schedule = Literal["joint", "warm_start", "frozen_mean"]
Trunk = Literal["frozen", "trained"]


@dataclass(frozen=True)
class NoiseHead:
    """A network that also says how far energies and forces may be from its own, trained by their likelihood.

    law: "correlated" (forces' noise is that of the energy's process) or "white" (independent of it).
    schedule: "joint" (all weights by likelihood from the start), "warm_start" (all weights, from the plain network
    of the same member) or "frozen_mean" (the head alone, on that network).
    energy_weight: by which the likelihood of an energy is multiplied; 1 is the exact joint likelihood.
    nuggets: whether white noise of one trained variance for energies, and one for force components, is added.
    """

    law: Law = "correlated"
    schedule: Schedule = "frozen_mean"
    energy_weight: float = 1.0
    nuggets: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.energy_weight < float("inf"):
            raise UqbenchError(
                f"energy_weight is {self.energy_weight}; a positive number is needed (1: the exact likelihood)."
            )

    @property
    def from_plain(self) -> bool:
        """Whether its training starts from the plain network of the same member."""
        return self.schedule != "joint"


@dataclass(frozen=True)
class Readouts:
    """A network with several linear readouts, trained by the likelihood of labels under their mean and variance.

    Its training starts from the plain network of the same member.
    count: number of readouts, at least 2. trunk: "trained" (after the readouts, all weights by the same score)
    or "frozen" (the readouts alone).
    """

    count: int = 16
    trunk: Trunk = "trained"

    def __post_init__(self) -> None:
        if self.count < 2:
            raise UqbenchError(f"the number of readouts is {self.count}; a spread needs at least 2.")

    @property
    def from_plain(self) -> bool:
        """See NoiseHead."""
        return True


Variant: TypeAlias = NoiseHead | Readouts
