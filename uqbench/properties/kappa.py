"""The factor by which a posterior is scaled about its mean before it is carried to properties.

Of held-out energies and forces the observed error is divided by the half-width, on the side of the error, of what
is carried: the spread of the samples of coefficients or members, without any noise or floor, which no potential has.
The conformal quantile of these ratios at 95 % is κ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import (
    Array,
    Frame,
    HasJointNoise,
    HasMembers,
    HasParameters,
    Kind,
    Posterior,
    Predictions,
    Properties,
    spread,
)
from uqbench.errors import UqbenchError
from uqbench.linear.model import LinearPosterior
from uqbench.linear.references import reference_energy
from uqbench.properties.evaluate import draw
from uqbench.scores.calibrate import conformal_quantile

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

LEVEL = 0.95
FEWEST = 19
"""Labels of which the largest ratio is the quantile at LEVEL."""
KINDS: tuple[Kind, ...] = ("energy", "forces")


def error_ratios(posterior: Posterior, frames: Sequence[Frame], seed: int) -> Array:
    """|error| / half-width of every free energy and force component of frames that the fit has not seen."""
    if isinstance(posterior, LinearPosterior):
        return _of_parameters(posterior, frames, seed)
    if isinstance(posterior, HasParameters):
        raise UqbenchError("a posterior over coefficients is to be a LinearPosterior, which knows its rows.")
    structures = [frame.atoms for frame in frames]
    if isinstance(posterior, HasMembers) and isinstance(posterior, HasJointNoise):
        predictions = _of_members(posterior, structures)
    else:
        predictions = posterior.predict(structures)
    ratios = []
    for kind in KINDS:
        prediction = getattr(predictions, kind)
        labels = [frame.labels(kind) for frame in frames]
        if prediction is None or any(values is None for values in labels):
            continue
        interval = prediction.interval(LEVEL)
        observed = np.concatenate([values for values in labels if values is not None])
        free = np.concatenate([frame.free(kind) for frame in frames])
        error = observed - prediction.mean
        ratios.append(
            _ratios(error, interval.lower - prediction.mean, interval.upper - prediction.mean)[free]
        )
    return np.concatenate(ratios)


def _of_members(posterior: HasMembers, structures: Sequence[Atoms]) -> Predictions:
    """What the members say, without the noise that they state beside it: it is they who are carried."""

    def of(member: Calculator) -> list[Properties]:
        found = []
        for atoms in structures:
            member.calculate(atoms, ["energy", "forces"])
            found.append(Properties(float(member.results["energy"]), member.results["forces"].copy(), None))
        return found

    return spread([of(member) for member in posterior.members()], structures)


def _of_parameters(posterior: LinearPosterior, frames: Sequence[Frame], seed: int) -> Array:
    parameters = posterior.parameters
    drawn = draw(parameters, seed)
    bounded = parameters.support(parameters.mean[None]) is not None
    ratios = []
    for frame, rows in zip(frames, posterior.rows([f.atoms for f in frames]), strict=True):
        spread = rows @ (drawn - parameters.mean).T
        tails = [0.0, 1.0] if bounded else [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL]
        lower, upper = np.quantile(spread, tails, axis=1)
        shift = reference_energy(frame.atoms, posterior.references)
        start = 0
        for kind in KINDS:
            labels, free = frame.labels(kind), frame.free(kind)
            part = slice(start, start + len(free))
            start += len(free)
            if labels is None:
                continue
            error = labels - rows[part] @ parameters.mean - (shift if kind == "energy" else 0.0)
            ratios.append(_ratios(error, lower[part], upper[part])[free])
    return np.concatenate(ratios) if ratios else np.empty(0)


def _ratios(error: Array, lower: Array, upper: Array) -> Array:
    half = np.where(error > 0, upper, -lower)
    return np.divide(np.abs(error), half, out=np.where(error == 0, 0.0, np.inf), where=half > 0)


def conformal_factor(ratios: Array) -> float:
    """The ⌈0.95 (n + 1)⌉-th smallest of n ratios; raises UqbenchError where there are too few or it is not finite."""
    if len(ratios) < FEWEST:
        raise UqbenchError(f"κ needs {FEWEST} held-out labels at least; there are {len(ratios)}.")
    factor = conformal_quantile(ratios, LEVEL)
    if not factor:
        found = "infinite" if factor is None else "zero"
        raise UqbenchError(
            f"κ is {found}: held-out errors where the posterior has no width; it cannot be scaled to them."
        )
    return factor
