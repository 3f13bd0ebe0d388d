"""Carries a posterior to simulation results by what it is able to do: parameters, members, or noise alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from uqbench.api import (
    Array,
    HasJointNoise,
    HasMembers,
    HasParameters,
    NotApplicable,
    ParameterPosterior,
    Posterior,
    Propagator,
    Quantity,
    Resampled,
    Status,
)
from uqbench.properties.failures import NotConvergedError, UnstableError
from uqbench.properties.outcome import Bounds, Outcome
from uqbench.properties.resampling import potentials, resample

SAMPLES = 200
"""Least number of samples whose quantiles give a 95 % interval (5 beyond each end)."""
PILOT = 50
"""Draws that go first; the others follow where few of these need a real computation."""
MOST_WILD = 0.2
"""Share of the pilot, without the property or really computed, beyond which it is all there is: the wilder a
posterior, the dearer are further draws and the less they tell."""
GRADIENT_STEP = 1e-2
"""Of finite differences along a coefficient, in standard deviations of its samples."""


def evaluate(
    quantity: Quantity, posterior: Posterior, kappas: Sequence[float], seed: int
) -> list[list[Outcome]]:
    """Every property of a quantity, once for each factor by which the posterior is scaled about its mean.

    Raises NotApplicable with the reason where the posterior cannot carry it.
    """
    if isinstance(posterior, HasParameters):
        return _by_parameters(quantity, posterior, kappas, seed)
    if isinstance(posterior, HasMembers):
        return _by_members(quantity, posterior, kappas)
    if isinstance(posterior, HasJointNoise):
        return _by_noise(quantity, posterior, kappas)
    raise NotApplicable(
        "the method gives neither coefficients nor members nor a joint noise; it has no simulation results."
    )


def draw(parameters: ParameterPosterior, seed: int) -> Array:
    """(n, P) different draws of the coefficients, n = SAMPLES, or all members of a smaller committee."""
    drawn = parameters.samples(SAMPLES, np.random.default_rng(seed))
    _, first = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(first)]


def _by_parameters(
    quantity: Quantity, posterior: HasParameters, kappas: Sequence[float], seed: int
) -> list[list[Outcome]]:
    parameters, backbone, elements = posterior.parameters, posterior.backbone, posterior.elements
    mean = parameters.mean
    drawn = draw(parameters, seed)
    if len(drawn) < 2:
        raise NotApplicable(
            "the posterior is one set of coefficients: its error bars are noise of labels, which no property has."
        )
    bounded = parameters.support(mean[None]) is not None
    nominal = parameters.predict_rows(mean[None], "energy").nominal if bounded else None
    began = time.perf_counter()
    centre = resample(tuple(quantity.units), quantity.measure, potentials(backbone, elements, mean[None]))
    one = time.perf_counter() - began
    # Where the mean has no such property there is no gradient at it, nor an end along that.
    cornered = bounded and bool(centre.ok[0])
    steps = GRADIENT_STEP * drawn.std(axis=0) if cornered else np.empty(0)
    probes = (
        mean + np.concatenate([np.diag(steps), -np.diag(steps)]) if cornered else np.empty((0, len(mean)))
    )
    scaled = [mean + kappa * (drawn - mean) for kappa in kappas]
    carry, route = _carrier(quantity, posterior, mean, np.concatenate([*scaled, probes]))
    *found, probed = _each(carry, [*(s[:PILOT] for s in scaled), probes])
    more = [k for k, part in enumerate(found) if (~(part.accepted & part.ok)).mean() <= MOST_WILD]
    if more and len(drawn) > PILOT:
        for k, part in zip(more, _each(carry, [scaled[k][PILOT:] for k in more]), strict=True):
            found[k] = found[k].and_then(part)
    total = sum(len(part.status) for part in found) + len(probes)
    seconds = {"one": one, "all": (time.perf_counter() - began - one) / total}
    slopes = _slopes(probed, steps) if cornered else {}
    linear = quantity.rows(backbone, elements)
    # Of the posterior as the method gives it; of what is linear they would be the exact bounds.
    corners = _corners(quantity, posterior, {n: s for n, s in slopes.items() if n not in linear})
    exact = {name: parameters.support(row[None]) for name, row in linear.items()}
    return [
        _outcomes(
            quantity,
            centre,
            part,
            route,
            seconds | {"all": seconds["all"] * len(part.status)},
            nominal=nominal,
            exact={name: _scaled(exact[name], float(row @ mean), kappa) for name, row in linear.items()},
            corners=corners if kappa == 1.0 else ({}, ()),
            remarks=quantity.remarks(backbone),
        )
        for kappa, part in zip(kappas, found, strict=True)
    ]


def _carrier(
    quantity: Quantity, posterior: HasParameters, mean: Array, samples: Array
) -> tuple[Propagator, str]:
    """What carries any of the samples, and by which route."""
    backbone, elements = posterior.backbone, posterior.elements
    try:
        quick = quantity.propagator(backbone, elements, mean, samples)
    except (UnstableError, NotConvergedError):
        quick = None  # without a minimum of the mean there is nothing to expand about
    if quick is not None:
        return quick, "implicit differentiation"
    names = tuple(quantity.units)
    return lambda some: resample(names, quantity.measure, potentials(backbone, elements, some)), "resampling"


def _each(carry: Propagator, sets: Sequence[Array]) -> list[Resampled]:
    """Sets of samples in one call, each with its own result."""
    found, ends = carry(np.concatenate(sets)), np.cumsum([len(s) for s in sets])
    return [found.part(end - len(s), end) for s, end in zip(sets, ends.tolist(), strict=True)]


def _slopes(probed: Resampled, steps: Array) -> dict[str, Array]:
    """Gradients (P,) from coefficients a step up and down, of properties that exist at all of them."""
    up, down = np.split(probed.values, 2)
    by_name = np.divide(up - down, 2 * steps[:, None], out=np.zeros_like(up), where=steps[:, None] > 0)
    return {name: by_name[:, k] for k, name in enumerate(probed.names) if np.isfinite(by_name[:, k]).all()}


def _corners(
    quantity: Quantity, posterior: HasParameters, slopes: Mapping[str, Array]
) -> tuple[dict[str, Bounds], list[str]]:
    """Real computations at the two ends of a bounded posterior along each property's gradient.

    And why there are none where an end has no such property.
    """
    parameters, backbone, elements = posterior.parameters, posterior.backbone, posterior.elements
    found: dict[str, Bounds] = {}
    reasons = []
    for name, slope in slopes.items():
        ends = parameters.extremes(slope)
        if name not in quantity.units or ends is None:
            continue
        there = resample(
            (name,),
            lambda potential, name=name: {name: quantity.measure_one(name, potential)},
            potentials(backbone, elements, ends),
        )
        if there.ok.all():
            low, high = sorted(there.values[:, 0])
            found[name] = (float(low), float(high))
        else:
            reasons += [f"a corner of {name}: {reason}" for reason in there.reasons if reason]
    return found, reasons


def _scaled(support: tuple[Array, Array] | None, centre: float, kappa: float) -> Bounds | None:
    if support is None:
        return None
    low, high = (centre + kappa * (float(end[0]) - centre) for end in support)
    return low, high


def _by_members(quantity: Quantity, posterior: HasMembers, kappas: Sequence[float]) -> list[list[Outcome]]:
    began = time.perf_counter()
    found = resample(tuple(quantity.units), quantity.measure, posterior.members())
    seconds = {"all": time.perf_counter() - began}
    seconds["one"] = seconds["all"] / len(found.values)
    any_ok = bool(found.ok.any())
    middle = found.values[found.ok].mean(axis=0) if any_ok else np.full(len(found.names), np.nan)
    status: Status = "ok" if any_ok else "unstable"
    centre = Resampled(found.names, middle[None], (status,), ("",), np.ones(1, dtype=bool))
    return [
        _outcomes(
            quantity,
            centre,
            replace(found, values=middle + kappa * (found.values - middle)),
            "resampling of members",
            seconds,
        )
        for kappa in kappas
    ]


def _by_noise(quantity: Quantity, posterior: HasJointNoise, kappas: Sequence[float]) -> list[list[Outcome]]:
    """The mean's value with the noise of energies, independent between structures: it grows with their size."""
    began = time.perf_counter()
    variances = quantity.noise_variance(lambda atoms: float(posterior.joint_covariance(atoms)[0, 0]))
    centre = resample(tuple(quantity.units), quantity.measure, [posterior.mean_potential()])
    seconds = {"all": time.perf_counter() - began}
    route = "energies of different structures taken as independent: the error bar grows with the cell"
    return [
        _outcomes(
            quantity,
            centre,
            centre.part(0, 0),
            route,
            seconds,
            noise={name: kappa * float(np.sqrt(variance)) for name, variance in variances.items()},
        )
        for kappa in kappas
    ]


def _outcomes(
    quantity: Quantity,
    centre: Resampled,
    found: Resampled,
    route: str,
    seconds: Mapping[str, float],
    *,
    nominal: float | None = None,
    exact: Mapping[str, Bounds | None] | None = None,
    corners: tuple[Mapping[str, Bounds], Sequence[str]] = ({}, ()),
    remarks: Sequence[str] = (),
    noise: Mapping[str, float] | None = None,
) -> list[Outcome]:
    counts = {
        "samples": len(found.status),
        "accepted": int((found.accepted & found.ok).sum()),
        "computed": int((~found.accepted & found.ok).sum()),
        "unstable": found.counts["unstable"],
        "not converged": found.counts["not converged"],
    }
    reasons = (*_commonest([*centre.reasons, *found.reasons]), *corners[1], *remarks)
    return [
        Outcome(
            name,
            unit,
            quantity.references.get(name, name),
            float(centre.of(name)[0]) if centre.ok[0] else None,
            found.of(name)[found.ok],
            (noise or {}).get(name),
            nominal,
            (exact or {}).get(name),
            corners[0].get(name),
            counts,
            reasons,
            route,
            seconds,
        )
        for name, unit in quantity.units.items()
    ]


def _commonest(reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(reason for reason, _ in Counter(r for r in reasons if r).most_common(3))
