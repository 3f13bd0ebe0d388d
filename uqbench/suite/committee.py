"""A method for finished potentials in a run: every frame computed once by each, then fold by fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import (
    CalculatorBackbone,
    CommitteeMethod,
    CommitteeProblem,
    Origin,
    Posterior,
    Predictions,
    Properties,
)
from uqbench.backbones.calculators.member import Known, Member
from uqbench.cost.memory import stored_bytes
from uqbench.cost.timing import Elapsed, stopwatch
from uqbench.data.split import Fold
from uqbench.errors import UqbenchError
from uqbench.suite.fitter import Fitted, Fitter, one_by_one
from uqbench.suite.handed import handed_over

if TYPE_CHECKING:
    from ase import Atoms

    from uqbench.api.network import Say
    from uqbench.suite.job import Job


class CommitteeFitter(Fitter):
    """A method for committees; the calculators are made here, in the process that uses them."""

    def __init__(self, job: Job, say: Say, backbone: CalculatorBackbone, method: CommitteeMethod) -> None:
        super().__init__(job, say)
        self.method, self.origins = method, backbone.origins()
        self.known: list[Known] = []
        self.members: list[Member] = []
        for name, calculator in backbone.calculators(job.fit.device.removeprefix("torch:")):
            self.known.append(Known())
            self.members.append(Member(name, calculator, self.known[-1]))
        self.took: list[Elapsed] = []

    def fit(self, number: int, fold: Fold, name: str) -> Fitted:
        """See Fitter. What the method is charged for is its own time, and that of the training energies."""
        if not self.took:
            self.took = [self._computed(i) for i in range(len(self.frames))]
        frames = [self.frames[i] for i in fold.train]
        problem = CommitteeProblem(handed_over(frames), self.elements, self.members)
        rng = np.random.default_rng([self.job.fit.seed, number])
        with stopwatch(self.arrays.synchronise) as elapsed:
            posterior = self.method.fit(problem, rng)
        if not isinstance(posterior, Posterior):
            method = self.job.fit.method.name
            raise UqbenchError(f"{method}.fit returned {type(posterior).__name__}, not a Posterior.")
        spent = [self.took[i] for i in fold.train if self.frames[i].energy is not None]
        seconds = {
            "wall_s": elapsed.wall + sum(t.wall for t in spent),
            "cpu_s": elapsed.cpu + sum(t.cpu for t in spent),
            "rows_cpu_s": 0.0,
            "posterior_bytes": stored_bytes(posterior),
        }
        return Fitted(
            posterior,
            _Recomputed(posterior, self.known),
            lambda: one_by_one(self.members[0].calculator()),
            {},
            dict(posterior.facts) | _facts(self.origins),
            seconds,
        )

    def _computed(self, i: int) -> Elapsed:
        """Every member's results of a frame, which must be of the same kinds; the time they took together."""
        frame = self.frames[i]
        self.say(f"calculators: structure {i + 1}/{len(self.frames)}")
        with stopwatch(self.arrays.synchronise) as elapsed:
            found = [member.compute(frame.atoms, frame.source) for member in self.members]
        self._require_alike(found, frame.source)
        return elapsed

    def _require_alike(self, found: Sequence[Properties], source: str) -> None:
        with_stress = [m.name for m, p in zip(self.members, found, strict=True) if p.stress is not None]
        without = [m.name for m, p in zip(self.members, found, strict=True) if p.stress is None]
        if with_stress and without:
            raise UqbenchError(
                f"{source}: {with_stress[0]} gives a stress and {without[0]} gives none; a spread needs it of all. "
                "Give calculators that all have it, or hide it in all."
            )


@dataclass(frozen=True)
class _Recomputed(Posterior):
    """The posterior with nothing looked up, for its time."""

    posterior: Posterior
    known: Sequence[Known]

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """See Posterior.predict."""
        from contextlib import ExitStack

        with ExitStack() as stack:
            for known in self.known:
                stack.enter_context(known.set_aside())
            return self.posterior.predict(structures)


def _facts(origins: Sequence[Origin]) -> dict[str, float | str]:
    return {f"source {origin.known_as}": f"sha256 {origin.sha256 or 'unknown'}" for origin in origins}
