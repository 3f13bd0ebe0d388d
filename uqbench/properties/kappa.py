"""The factor by which a posterior is scaled about its mean before it is carried to properties.

Of held-out energies and forces the observed error is divided by the half-width, on the side of the error, of the
95 % interval that a property would get: of the samples of coefficients or members that are carried, by the same rule,
without any noise or floor, which no potential has. The conformal quantile of these ratios at 95 % is κ.
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
    Prediction,
    Predictions,
    Properties,
    spread,
)
from uqbench.errors import UqbenchError
from uqbench.linear.model import LinearPosterior
from uqbench.linear.references import reference_energy
from uqbench.properties.evaluate import PILOT, draw
from uqbench.scores.calibrate import conformal_quantile

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

LEVEL = 0.95
FEWEST = 19
"""Labels of which the largest ratio is the quantile at LEVEL."""
KINDS: tuple[Kind, ...] = ("energy", "forces")


def error_ratios(posterior: Posterior, frames: Sequence[Frame], seed: int) -> Array:
    """(n, 2): |error| / half-width of every free energy and force component of frames that the fit has not seen.

    First with all draws of a posterior over coefficients, then with its pilot alone (see evaluate); members are
    always carried whole.
    """
    if isinstance(posterior, LinearPosterior):
        return _of_parameters(posterior, frames, seed)
    if isinstance(posterior, HasParameters):
        raise UqbenchError("a posterior over coefficients is to be a LinearPosterior, which knows its rows.")
    structures = [frame.atoms for frame in frames]
    if isinstance(posterior, HasMembers) and isinstance(posterior, HasJointNoise):
        predictions = _of_members(posterior, structures)
    else:
        predictions = posterior.predict(structures)
    found = [np.empty(0)]
    for kind in KINDS:
        if (prediction := getattr(predictions, kind)) is not None:
            labels = [_labels(frame, kind) for frame in frames]
            found.append(_ratios(np.concatenate(labels), prediction))
    return np.repeat(np.concatenate(found)[:, None], 2, axis=1)


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
    if len(drawn) < 2:  # one set of coefficients, which is not carried either
        return np.empty((0, 2))
    found = [np.empty((0, 2))]
    for frame, rows in zip(frames, posterior.rows([f.atoms for f in frames]), strict=True):
        labels = np.concatenate([_labels(frame, kind) for kind in KINDS])
        labels[0] -= reference_energy(frame.atoms, posterior.references)
        seen = rows[: len(labels)]
        mean, samples = seen @ parameters.mean, drawn @ seen.T
        carried = [Prediction(mean, samples=samples[:n]) for n in (len(drawn), PILOT)]
        found.append(np.column_stack([_ratios(labels, prediction) for prediction in carried]))
    return np.concatenate(found)


def _labels(frame: Frame, kind: Kind) -> Array:
    """As predictions are ordered, flat; nan where there is none, or symmetry makes it zero."""
    free, labels = frame.free(kind), frame.labels(kind)
    return np.where(free, np.nan if labels is None else labels, np.nan)


def _ratios(labels: Array, prediction: Prediction) -> Array:
    """Of the labels that are not nan."""
    interval = prediction.interval(LEVEL)
    if interval is None:
        return np.empty(0)
    error = labels - prediction.mean
    half = np.where(error > 0, interval.upper - prediction.mean, prediction.mean - interval.lower)
    ratios = np.divide(np.abs(error), half, out=np.where(error == 0, 0.0, np.inf), where=half > 0)
    return ratios[~np.isnan(labels)]


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
