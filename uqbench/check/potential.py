"""Checks of the posterior as a potential: energies, forces and stresses of structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from uqbench.api import KINDS, HasJointNoise, HasMembers, Predictions, size_of
from uqbench.check.finding import Broken, Skipped
from uqbench.check.parameters import require_facts
from uqbench.check.toy_backbone import VOIGT
from uqbench.check.toy_data import toy_frames, unseen_structures
from uqbench.check.trial import require_equal
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

    from uqbench.api import Array, Posterior

STEP = 1e-4
"""Displacement (Å) and strain of finite differences: their error is some 1e-8 of the values."""
TOLERANCE = 1e-5


class HasPotential(Protocol):
    """A fitted method under check."""

    @property
    def potential(self) -> Posterior:
        """What it says of structures."""
        ...


def check_facts(trial: HasPotential) -> None:
    """Facts are numbers or text by name."""
    require_facts(getattr(trial.potential, "facts", None))


def check_members(trial: HasPotential) -> None:
    """Members are calculators, two at least, with finite energies."""
    if not isinstance(trial.potential, HasMembers):
        raise Skipped("the posterior has no members.")
    members = trial.potential.members()
    if len(members) < 2:
        raise Broken(f"members() gives {len(members)} calculators; a spread needs two at least.")
    for number, calculator in enumerate(members):
        atoms = unseen_structures()[0].copy()
        atoms.calc = calculator
        if not np.isfinite(atoms.get_potential_energy()):
            raise Broken(f"member {number} has an energy that is not finite.")


def check_one_potential(trial: HasPotential) -> None:
    """Mean forces and stresses are derivatives of the mean energy (central differences).

    Where the error bar is a joint noise of energy and forces there need be no stress: it has no law for strains.
    """
    posterior = trial.potential
    for atoms in unseen_structures():
        prediction = posterior.predict([atoms])
        slopes = -energy_slopes(
            posterior, [moved(atoms, c, d) for c in range(3 * len(atoms)) for d in (1, -1)]
        )
        _require_slopes("forces", "minus the gradient", _mean(prediction, "forces"), slopes)
        if prediction.stress is None and isinstance(posterior, HasJointNoise):
            continue
        if atoms.pbc.all():
            slopes = energy_slopes(posterior, [strained(atoms, v, d) for v in range(6) for d in (1, -1)])
            slopes /= atoms.get_volume()
            _require_slopes("stress", "the strain derivative", _mean(prediction, "stress"), slopes)


def check_units(trial: HasPotential) -> None:
    """Coefficients are in the backbone's units: training labels are predicted better than by their mean."""
    frames = toy_frames()
    prediction = trial.potential.predict([f.atoms for f in frames])
    energies = np.array([f.labels("energy") for f in frames])[:, 0]
    error = np.sqrt(np.mean((_mean(prediction, "energy") - energies) ** 2))
    if error > (spread := energies.std()):
        raise Broken(
            f"training energies are predicted with an RMSE of {error:.3g} eV/atom, worse than their mean does "
            f"({spread:.3g}). Rows of a problem are divided by the scale of their kind together with the labels, so "
            "coefficients need no conversion; scaled columns must be scaled back."
        )


def check_any_number(trial: HasPotential) -> None:
    """No structures give empty predictions; each structure alone gives what all together do."""
    posterior = trial.potential
    empty = posterior.predict([])
    for kind in KINDS:
        prediction = getattr(empty, kind)
        if prediction is not None and len(prediction):
            raise Broken(f"an empty list of structures gives {len(prediction)} predictions of {kind}.")
    structures = unseen_structures()
    together = posterior.predict(structures)
    start = dict.fromkeys(KINDS, 0)
    for i, atoms in enumerate(structures):
        alone, part = posterior.predict([atoms]), {}
        for kind in KINDS:
            n, whole = size_of(kind, atoms), getattr(together, kind)
            part[kind] = None if whole is None else whole.take(np.arange(start[kind], start[kind] + n))
            start[kind] += n
            if whole is not None and len(getattr(alone, kind)) != n:
                raise Broken(
                    f"structure {i} of {len(atoms)} atoms has {len(getattr(alone, kind))} {kind}, not {n}."
                )
        alone = Predictions(**{k: getattr(alone, k) if size_of(k, atoms) else part[k] for k in KINDS})
        told = f"structure {i} predicted alone and among others (a prediction may depend on its own row only)"
        require_equal(alone, Predictions(**part), told, tolerance=1e-9)


def check_unseen_element(trial: HasPotential) -> None:
    """An element that the training set lacks is an error, not a guess."""
    stranger = unseen_structures()[0].copy()
    stranger.symbols[0] = "Ni"
    try:
        trial.potential.predict([stranger])
    except UqbenchError:
        return
    raise Broken("a structure with an element that training lacks is predicted; raise UqbenchError.")


def energy_slopes(posterior: Posterior, pairs: Sequence[Atoms]) -> Array:
    """Central differences of the total mean energy over pairs of structures, one STEP up and one down."""
    sizes = np.array([len(a) for a in pairs])
    energies = (_mean(posterior.predict(pairs), "energy") * sizes).reshape(-1, 2)
    return (energies[:, 0] - energies[:, 1]) / (2.0 * STEP)


def moved(atoms: Atoms, component: int, sign: int) -> Atoms:
    """The structure with one coordinate (atom by atom, x y z) moved by STEP."""
    copy = atoms.copy()
    copy.positions[component // 3, component % 3] += sign * STEP
    return copy


def strained(atoms: Atoms, component: int, sign: int) -> Atoms:
    """The structure under a symmetric strain whose Voigt component is STEP (shears: half on each side)."""
    a, b = VOIGT[component]
    strain = np.eye(3)
    strain[a, b] += 0.5 * sign * STEP
    strain[b, a] += 0.5 * sign * STEP
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    return copy


def _mean(predictions: Predictions, kind: str) -> Array:
    prediction = getattr(predictions, kind)
    if prediction is None:
        raise Broken(f"no {kind} are predicted.")
    return prediction.mean


def _require_slopes(kind: str, meaning: str, values: Array, slopes: Array) -> None:
    apart = float(np.abs(values - slopes).max())
    if apart > TOLERANCE * (0.1 + float(np.abs(slopes).max())):
        raise Broken(
            f"mean {kind} differ from {meaning} of the mean energy by up to {apart:.3g}: they are not of one "
            "potential. Predict all kinds as rows times the same coefficients (rows @ mean)."
        )
