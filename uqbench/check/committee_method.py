"""What a method for committees promises, beside what every posterior does (uqbench.check.potential)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.random import default_rng

from uqbench.api import CommitteeMethod, CommitteeProblem, Frame, Posterior
from uqbench.backbones.calculators.member import Member
from uqbench.check import potential
from uqbench.check.finding import Broken, Skipped
from uqbench.check.fitting import require_global_state_kept
from uqbench.check.toy_data import ELEMENTS, energies_only, toy_frames, unseen_structures
from uqbench.check.toy_network import toy_training
from uqbench.check.trial import require_equal
from uqbench.linear.references import fit_references

ZEROS = (0.0, 1000.0, -7.0)
"""Energy an atom, eV, by which the toy members' zeros differ: no spread of predictions may hold it."""


@dataclass(frozen=True)
class CommitteeTrial:
    """method: under check. potential: its posterior, fitted to toy members."""

    method: CommitteeMethod
    potential: Posterior

    @classmethod
    def of(cls, method: CommitteeMethod) -> CommitteeTrial:
        """Fit to all toy structures. Raises Broken if that gives no posterior."""
        return cls(method, fit(method, toy_committee_problem(toy_frames())))


def toy_committee_problem(frames: Sequence[Frame]) -> CommitteeProblem:
    """Three toy networks with energy zeros of their own; frames are copies."""
    members = []
    for seed, zero in enumerate(ZEROS):
        references = {e: r + zero for e, r in fit_references(toy_frames(), ELEMENTS).items()}
        trained = toy_training(toy_frames(), fit_references(toy_frames(), ELEMENTS), seed)
        shifted = type(trained)(trained.weights, references)
        members.append(Member(f"toy {seed}", shifted.calculator()))
    return CommitteeProblem(tuple(copy.deepcopy(list(frames))), ELEMENTS, members)


def fit(method: CommitteeMethod, problem: CommitteeProblem) -> Posterior:
    """The method's posterior; raises Broken if it is of another type."""
    posterior = method.fit(problem, default_rng(0))
    if not isinstance(posterior, Posterior):
        raise Broken(f"fit returns a {type(posterior).__name__}; return a Posterior (Ensemble is one).")
    return posterior


def check_inputs(trial: CommitteeTrial) -> None:
    """Neither the frames nor the method's own fields change in a fit."""
    problem, fields = toy_committee_problem(toy_frames()), repr(trial.method)
    fit(trial.method, problem)
    for frame, before in zip(problem.frames, toy_frames(), strict=True):
        if frame.atoms != before.atoms or frame.energy != before.energy:
            raise Broken("fit writes into the frames it is given; work on copies.")
    if repr(trial.method) != fields:
        raise Broken(f"fit changes the method's own fields from {fields} to {trial.method!r}.")


def check_seed(trial: CommitteeTrial) -> None:
    """The same seed and members give the same result, whatever was fitted in between."""
    fit(trial.method, toy_committee_problem(toy_frames()[:9]))
    again = fit(trial.method, toy_committee_problem(toy_frames()))
    one, other = (p.predict(unseen_structures()) for p in (trial.potential, again))
    require_equal(one, other, "two fits with the same seed differ (take all randomness from rng)")


def check_global_state(trial: CommitteeTrial) -> None:
    """NumPy's and Python's global generators stay as they are."""

    def work() -> None:
        fit(trial.method, toy_committee_problem(toy_frames())).predict(unseen_structures())

    require_global_state_kept(work)


def check_energies_only(trial: CommitteeTrial) -> None:
    """Frames without forces and stresses are fitted like any others."""
    fit(trial.method, toy_committee_problem(energies_only(toy_frames()))).predict(unseen_structures())


def check_zeros(trial: CommitteeTrial) -> None:
    """Energy zeros of the members, which are conventions, are no uncertainty."""
    energy = trial.potential.predict(unseen_structures()).energy
    widest = max((z - ZEROS[0] for z in ZEROS), key=abs)
    if energy is None or energy.std is None:
        raise Skipped("no standard deviation of energies is given.")
    if energy.std.max() > 0.01 * abs(widest):
        raise Broken(
            f"the spread of energies is {energy.std.max():.3g} eV/atom where the members' zeros differ by {widest:g}: "
            "align each member with the training energies (member.aligned)."
        )


CHECKS: dict[str, Callable[[CommitteeTrial], str | None]] = {
    "facts": potential.check_facts,
    "inputs left alone": check_inputs,
    "same seed, same result": check_seed,
    "global random state left alone": check_global_state,
    "energies alone": check_energies_only,
    "zeros of energy": check_zeros,
    "members": potential.check_members,
    "units": potential.check_units,
    "energy, forces and stress of one potential": potential.check_one_potential,
    "none, one or many structures": potential.check_any_number,
    "unseen element": potential.check_unseen_element,
}
