"""Property tasks in a fit: what they are trained on, the two variants, and their part of a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from uqbench.api import Array, Material, Posterior, Quantity
from uqbench.data.dataset import Dataset
from uqbench.data.split import Fold
from uqbench.errors import UqbenchError
from uqbench.properties.evaluate import RAW, Scale, evaluate
from uqbench.properties.kappa import conformal_factor
from uqbench.properties.outcome import Outcome
from uqbench.scores.calibrate import LEVELS
from uqbench.suite.record import PropertyPart


@dataclass(frozen=True)
class Kappa:
    """scale: of the posterior; None where it cannot be had, and reason says why."""

    scale: Scale | None
    reason: str

    @classmethod
    def of(cls, ratios: Array) -> Kappa:
        """From (n, 2) errors over half-widths of labels that fits have not seen; see error_ratios."""
        try:
            return cls(Scale(*(conformal_factor(column) for column in ratios.T)), "")
        except UqbenchError as error:
            return cls(None, str(error))


def whole_pools(dataset: Dataset) -> Iterator[tuple[str, Fold]]:
    """What property fits are trained on, by name: the pool, and the pool without the group that the card withholds.

    Clusters that touch a relaxation path of the reference properties are never in it.
    """
    card = dataset.card
    paths = set(card.relaxation_paths) if card else set()
    near = {frame.cluster for frame in dataset.frames if frame.config_type in paths}
    withheld = [None] if card is None or card.withhold is None else [None, card.withhold]
    nothing = np.empty(0, dtype=np.int64)
    for group in withheld:
        out = near | {f.cluster for f in dataset.frames if f.config_type == group}
        kept = np.array([i for i, f in enumerate(dataset.frames) if f.cluster not in out], dtype=np.int64)
        yield "pool" if group is None else f"pool without {group}", Fold(kept, nothing, nothing, nothing)


def property_parts(
    quantity: Quantity, posterior: Posterior, material: Material, trained_on: str, kappa: Kappa, seed: int
) -> list[PropertyPart]:
    """Every property of a quantity, raw and scaled, next to its reference. Raises NotApplicable."""
    scales = [RAW] if kappa.scale is None else [RAW, kappa.scale]
    found = evaluate(quantity, posterior, scales, seed)
    parts = []
    for variant, outcomes in zip(("raw", "kappa"), found, strict=False):
        for outcome in outcomes:
            reasons = [*outcome.reasons, *([kappa.reason] if kappa.reason else [])]
            parts.append(_part(outcome, material, trained_on, variant, reasons))
    return parts


def _part(
    outcome: Outcome, material: Material, trained_on: str, variant: str, reasons: list[str]
) -> PropertyPart:
    reference = material.references.get(outcome.compared_with)
    lower = upper = nominal = std = None
    levels = {}
    rule = "none"
    try:
        prediction = outcome.prediction()
    except UqbenchError as error:
        reasons = [*reasons, str(error)]
    else:
        found = {level: prediction.interval(level) for level in LEVELS}
        levels = {str(p): (float(i.lower[0]), float(i.upper[0])) for p, i in found.items() if i is not None}
        rule = ", ".join(sorted({i.rule for i in found.values() if i is not None}))
        std = None if prediction.std is None else float(prediction.std[0])
        if prediction.lower is not None and prediction.upper is not None:
            lower, upper = float(prediction.lower[0]), float(prediction.upper[0])
            nominal = prediction.nominal
        else:
            (lower, upper), nominal = levels["0.95"], 0.95
    return PropertyPart(
        name=outcome.name,
        unit=outcome.unit,
        trained_on=trained_on,
        variant=variant,  # pyright: ignore[reportArgumentType]
        kappa=outcome.kappa,
        value=outcome.value,
        std=std,
        lower=lower,
        upper=upper,
        nominal=nominal,
        levels=levels,
        rule=rule,
        exact=outcome.exact,
        corners=_widest(outcome),
        compared_with=outcome.compared_with,
        reference=reference.value if reference else None,
        reference_error=reference.error if reference else None,
        protocol_known=bool(reference and reference.protocol),
        counts=dict(outcome.counts),
        reasons=reasons,
        route=outcome.route,
        seconds=dict(outcome.seconds),
    )


def _widest(outcome: Outcome) -> tuple[float, float] | None:
    if outcome.corners is None or outcome.value is None:
        return None
    inside = [*outcome.corners, outcome.value, *outcome.samples]
    return float(min(inside)), float(max(inside))
