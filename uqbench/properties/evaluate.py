"""Carries a posterior to simulation results by what it is able to do: parameters, members, or noise alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from uqbench.properties.outcome import Bounds, Outcome, Stated
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


@dataclass(frozen=True)
class Scale:
    """Factors about the mean: of all that is carried, and of a pilot that is all there is."""

    whole: float
    pilot: float


RAW = Scale(1.0, 1.0)


def evaluate(
    quantity: Quantity, posterior: Posterior, scales: Sequence[Scale], seed: int
) -> list[list[Outcome]]:
    """Every property of a quantity, once for each scale of the posterior; of RAW alone there is what the method states.

    Raises NotApplicable with the reason where the posterior cannot carry it.
    """
    if isinstance(posterior, HasParameters):
        return _by_parameters(quantity, posterior, scales, seed)
    if isinstance(posterior, HasMembers):
        return _by_members(quantity, posterior, scales)
    if isinstance(posterior, HasJointNoise):
        return _by_noise(quantity, posterior, scales)
    raise NotApplicable(
        "the method gives neither coefficients nor members nor a joint noise; it has no simulation results."
    )


def draw(parameters: ParameterPosterior, seed: int) -> Array:
    """(n, P) different draws of the coefficients, n = SAMPLES, or all members of a smaller committee."""
    drawn = parameters.samples(SAMPLES, np.random.default_rng(seed))
    _, first = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(first)]


def _stated(parameters: ParameterPosterior) -> Stated | None:
    mean = parameters.mean[None]
    support = parameters.support(mean)
    if support is None:
        return None
    said = parameters.predict_rows(mean, "energy")
    if said.lower is None or said.upper is None or said.nominal is None:
        return None
    # Bounds read off samples are narrower.
    return Stated(said.nominal, all=bool(np.allclose([said.lower, said.upper], support, rtol=1e-9)))


def _by_parameters(
    quantity: Quantity, posterior: HasParameters, scales: Sequence[Scale], seed: int
) -> list[list[Outcome]]:
    parameters, backbone, elements = posterior.parameters, posterior.backbone, posterior.elements
    mean = parameters.mean
    drawn = draw(parameters, seed)
    if len(drawn) < 2:
        raise NotApplicable(
            "the posterior is one set of coefficients: its error bars are noise of labels, which no property has."
        )
    stated = _stated(parameters)
    began = time.perf_counter()
    centre = resample(tuple(quantity.units), quantity.measure, potentials(backbone, elements, mean[None]))
    one = time.perf_counter() - began
    # Where the mean has no such property there is no gradient at it, nor an end along that.
    cornered = stated is not None and bool(centre.ok[0])
    steps = GRADIENT_STEP * drawn.std(axis=0) if cornered else np.empty(0)
    probes = (
        mean + np.concatenate([np.diag(steps), -np.diag(steps)]) if cornered else np.empty((0, len(mean)))
    )
    pilots = [mean + scale.pilot * (drawn[:PILOT] - mean) for scale in scales]
    whole = [mean + scale.whole * (drawn - mean) for scale in scales]
    carry, route, why = _carrier(quantity, posterior, mean, np.concatenate([*pilots, *whole, probes]))
    *found, probed = _each(carry, [*pilots, probes])
    total = len(probes) + sum(len(part.status) for part in found)
    used = [scale.pilot for scale in scales]
    more = [k for k, part in enumerate(found) if (~(part.accepted & part.ok)).mean() <= MOST_WILD]
    if more and len(drawn) > PILOT:
        # A pilot of the same factor is a part of the whole.
        going = [whole[k][PILOT if scales[k].pilot == scales[k].whole else 0 :] for k in more]
        total += sum(len(part) for part in going)
        for k, part in zip(more, _each(carry, going), strict=True):
            found[k] = part if len(part.status) == len(drawn) else found[k].and_then(part)
            used[k] = scales[k].whole
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
            kappa,
            stated=stated if scale == RAW else None,
            exact={name: _scaled(exact[name], float(row @ mean), kappa) for name, row in linear.items()},
            corners=corners if scale == RAW else ({}, ()),
            remarks=(*why, *quantity.remarks(backbone)),
        )
        for scale, kappa, part in zip(scales, used, found, strict=True)
    ]


def _carrier(
    quantity: Quantity, posterior: HasParameters, mean: Array, samples: Array
) -> tuple[Propagator, str, tuple[str, ...]]:
    """What carries any of the samples, by which route, and why not by the quick one where there is a reason."""
    backbone, elements = posterior.backbone, posterior.elements
    why: tuple[str, ...] = ()
    try:
        quick = quantity.propagator(backbone, elements, mean, samples)
    except (UnstableError, NotConvergedError) as error:
        # Without a minimum of the mean there is nothing to expand about.
        quick, why = None, (f"every sample was computed: {error}",)
    if quick is not None:
        return quick, "implicit differentiation", why
    names = tuple(quantity.units)
    return (
        lambda some: resample(names, quantity.measure, potentials(backbone, elements, some)),
        "resampling",
        why,
    )


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


def _by_members(quantity: Quantity, posterior: HasMembers, scales: Sequence[Scale]) -> list[list[Outcome]]:
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
            replace(found, values=middle + scale.whole * (found.values - middle)),
            "resampling of members",
            seconds,
            scale.whole,
        )
        for scale in scales
    ]


def _by_noise(quantity: Quantity, posterior: HasJointNoise, scales: Sequence[Scale]) -> list[list[Outcome]]:
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
            scale.whole,
            noise={name: scale.whole * float(np.sqrt(variance)) for name, variance in variances.items()},
        )
        for scale in scales
    ]


def _outcomes(
    quantity: Quantity,
    centre: Resampled,
    found: Resampled,
    route: str,
    seconds: Mapping[str, float],
    kappa: float,
    *,
    stated: Stated | None = None,
    exact: Mapping[str, Bounds | None] | None = None,
    corners: tuple[Mapping[str, Bounds], Sequence[str]] = ({}, ()),
    remarks: Sequence[str] = (),
    noise: Mapping[str, float] | None = None,
) -> list[Outcome]:
    failures = [reason for reason, ok in zip(found.reasons, found.ok, strict=True) if not ok]
    of_others = Counter(reason for reason, ok in zip(found.reasons, found.ok, strict=True) if ok and reason)
    said = [f"{n} of {len(found.status)} samples: {reason}" for reason, n in of_others.items()]
    counts = {
        "samples": len(found.status),
        "accepted": int((found.accepted & found.ok).sum()),
        "computed": int((~found.accepted & found.ok).sum()),
        "unstable": found.counts["unstable"],
        "not converged": found.counts["not converged"],
    }
    reasons = (*_commonest([*centre.reasons, *failures]), *corners[1], *said, *remarks)
    return [
        Outcome(
            name,
            unit,
            quantity.references.get(name, name),
            float(centre.of(name)[0]) if centre.ok[0] else None,
            found.of(name)[found.ok],
            (noise or {}).get(name),
            stated,
            (exact or {}).get(name),
            corners[0].get(name),
            counts,
            reasons,
            route,
            seconds,
            kappa,
        )
        for name, unit in quantity.units.items()
    ]


def _commonest(reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(reason for reason, _ in Counter(r for r in reasons if r).most_common(3))
