"""A committee that is there already: the mean of your calculators predicts, their spread is the error bar.

Nothing is trained. Each calculator has an energy zero of its own: for each, one energy an element is fitted to the
training energies and added. A zero is a convention and no knowledge, so that a spread of zeros is no uncertainty: with
zeros fitted to the committee's mean, potentials from different codes would differ by thousands of eV. What is left of
the spread is what differences of energy have. Forces and stresses do not see the zeros, nor does any property whose
structures balance in composition, as formation energies do.

Cost: the energies of the training structures once with every calculator; a prediction costs all of them.
Limits: calculators that were made alike err alike; few of them give heavy-tailed intervals (Student-t). Whether they
were trained on the held-out structures, uqbench cannot know.
Reference: Schran, Brezina, Marsalek, J. Chem. Phys. 153, 104105 (2020): committees of finished potentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from numpy.random import Generator

from uqbench.api import CommitteeMember, CommitteeMethod, CommitteeProblem, Ensemble, Frame
from uqbench.errors import UqbenchError
from uqbench.linear.references import fit_references


@dataclass(frozen=True)
class External(CommitteeMethod):
    """Mean and spread of the members; the only thing fitted are their energy zeros."""

    def fit(self, problem: CommitteeProblem, rng: Generator) -> Ensemble:
        """Deterministic; rng is not used. Raises UqbenchError for fewer than two members."""
        if len(problem.members) < 2:
            raise UqbenchError(f"external: {len(problem.members)} members; a spread needs at least 2.")
        labelled = [frame for frame in problem.frames if frame.energy is not None]
        aligned = []
        facts: dict[str, float | str] = {"members": float(len(problem.members))}
        for number, member in enumerate(problem.members):
            offsets = fit_references(_residuals(member, labelled), problem.elements)
            aligned.append(member.aligned(offsets))
            facts[f"member_{number}"] = member.name
            facts |= {f"member_{number}_offset_{element}": energy for element, energy in offsets.items()}
        return Ensemble(tuple(aligned), "cpu", facts)


def _residuals(member: CommitteeMember, frames: Sequence[Frame]) -> list[Frame]:
    """Frames whose energy is what the member leaves of it."""
    found = member.predict([frame.atoms for frame in frames])
    return [
        replace(frame, energy=frame.energy - properties.energy)
        for frame, properties in zip(frames, found, strict=True)
        if frame.energy is not None
    ]
