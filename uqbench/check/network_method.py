"""What a method for networks promises, beside what every posterior does (uqbench.check.potential)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from uqbench.api import Frame, HasJointNoise, NetworkMethod, NetworkProblem, Posterior, TrainedNetwork
from uqbench.check import potential
from uqbench.check.finding import Broken, Skipped
from uqbench.check.fitting import require_global_state_kept
from uqbench.check.toy_data import energies_only, toy_frames, unseen_structures
from uqbench.check.toy_network import ToyTrained, toy_network_problem
from uqbench.check.trial import require_equal
from uqbench.errors import UqbenchError

FAILURE = "the toy network fails to train"


@dataclass(frozen=True)
class NetworkTrial:
    """method: under check. potential: its posterior, fitted to toy networks."""

    method: NetworkMethod
    potential: Posterior

    @classmethod
    def of(cls, method: NetworkMethod) -> NetworkTrial:
        """Fit to all toy structures. Raises Broken if that gives no posterior."""
        return cls(method, fit(method, toy_network_problem(toy_frames())))


def fit(method: NetworkMethod, problem: NetworkProblem) -> Posterior:
    """The method's posterior; raises Broken if it is of another type."""
    posterior = method.fit(problem, default_rng(0))
    if not isinstance(posterior, Posterior):
        raise Broken(f"fit returns a {type(posterior).__name__}; return a Posterior (subclass it).")
    return posterior


def check_inputs(trial: NetworkTrial) -> None:
    """Neither the frames nor the method's own fields change in a fit."""
    problem, fields = toy_network_problem(toy_frames()), repr(trial.method)
    fit(trial.method, problem)
    for frame, before in zip(problem.frames, toy_frames(), strict=True):
        if frame.atoms != before.atoms or any(
            not np.array_equal(getattr(frame, name), getattr(before, name))
            for name in ("energy", "forces", "stress")
        ):
            raise Broken("fit writes into the frames it is given; work on copies.")
    if repr(trial.method) != fields:
        raise Broken(f"fit changes the method's own fields from {fields} to {trial.method!r}.")


def check_seed(trial: NetworkTrial) -> None:
    """The same seed and networks give the same result, whatever was fitted in between."""
    fit(trial.method, toy_network_problem(energies_only(toy_frames())))
    again = fit(trial.method, toy_network_problem(toy_frames()))
    one, other = (p.predict(unseen_structures()) for p in (trial.potential, again))
    require_equal(one, other, "two fits with the same seed differ (take all randomness from rng)")


def check_global_state(trial: NetworkTrial) -> None:
    """NumPy's and Python's global generators stay as they are."""

    def work() -> None:
        fit(trial.method, toy_network_problem(toy_frames())).predict(unseen_structures())

    require_global_state_kept(work)


def check_energies_only(trial: NetworkTrial) -> None:
    """Frames without forces and stresses are fitted like any others."""
    fit(trial.method, toy_network_problem(energies_only(toy_frames()))).predict(unseen_structures())


def check_failing_network(trial: NetworkTrial) -> str | None:
    """A network that fails to train is told of in the facts, or is an error; it is never passed over."""

    def fails(member: int, network: ToyTrained) -> TrainedNetwork:
        if member == 1:
            raise UqbenchError(FAILURE)
        return network

    frames: Sequence[Frame] = toy_frames()
    try:
        posterior = fit(trial.method, toy_network_problem(frames, fails))
    except UqbenchError as error:
        return f"refused: {error}"
    asked = trial.potential.predict(unseen_structures()), posterior.predict(unseen_structures())
    try:
        require_equal(*asked, "")
    except Broken:
        if FAILURE not in str(dict(posterior.facts)):
            raise Broken(
                "a network that fails to train changes the result, and the facts do not say so; put the reason there."
            ) from None
    return None


def check_joint_noise(trial: NetworkTrial) -> None:
    """A joint covariance is one, and its diagonal is the variance of the predictions."""
    posterior = trial.potential
    if not isinstance(posterior, HasJointNoise):
        raise Skipped("the posterior has no joint noise.")
    for atoms in unseen_structures():
        size = 1 + 3 * len(atoms)
        found = np.asarray(posterior.joint_covariance(atoms))
        if found.shape != (size, size):
            raise Broken(
                f"joint_covariance of {len(atoms)} atoms has shape {found.shape}, not {(size, size)}."
            )
        largest = float(np.abs(found).max())
        if np.abs(found - found.T).max() > 1e-9 * largest or np.linalg.eigvalsh(found)[0] < -1e-9 * largest:
            raise Broken("joint_covariance is not symmetric and positive semi-definite.")
        prediction = posterior.predict([atoms])
        stated = [
            kind.std for kind in (prediction.energy, prediction.forces) if kind and kind.std is not None
        ]
        if len(stated) == 2:
            own = np.concatenate([stated[0] * len(atoms), stated[1]])
            if np.abs(own**2 - np.diag(found)).max() > 1e-9 * largest:
                raise Broken(
                    "the diagonal of joint_covariance is not the variance of total energy and forces in predict."
                )


CHECKS: dict[str, Callable[[NetworkTrial], str | None]] = {
    "facts": potential.check_facts,
    "inputs left alone": check_inputs,
    "same seed, same result": check_seed,
    "global random state left alone": check_global_state,
    "energies alone": check_energies_only,
    "a network that fails": check_failing_network,
    "members": potential.check_members,
    "joint noise": check_joint_noise,
    "units": potential.check_units,
    "energy, forces and stress of one potential": potential.check_one_potential,
    "none, one or many structures": potential.check_any_number,
    "unseen element": potential.check_unseen_element,
}
