"""Records of property tasks made by hand: Gaussian errors of known σ, and whatever a test wants to be wrong."""

from scipy.special import ndtri
from synthetic_records import make_record

from uqbench.suite.record import FailurePart, PropertyPart

LEVELS = (0.5, 0.68, 0.9, 0.95)


def part(name="C11", reference=100.0, value=102.0, sigma=4.0, **changes):
    """Bounds at 95 % of a Gaussian; 100 samples, all of which have the property."""
    half = {p: float(ndtri(0.5 + 0.5 * p)) * sigma for p in LEVELS}
    fields = {
        "name": name,
        "unit": "GPa",
        "trained_on": "pool",
        "variant": "raw",
        "kappa": 1.0,
        "value": value,
        "std": sigma,
        "lower": value - half[0.95],
        "upper": value + half[0.95],
        "nominal": 0.95,
        "levels": {str(p): (value - h, value + h) for p, h in half.items()},
        "rule": "quantile",
        "exact": None,
        "corners": None,
        "compared_with": name,
        "reference": reference,
        "reference_error": 1.0,
        "protocol_known": True,
        "counts": {"samples": 100, "accepted": 90, "computed": 10, "unstable": 0, "not converged": 0},
        "reasons": [],
        "route": "implicit differentiation",
        "seconds": {"all": 5.0, "one": 0.5},
    }
    return PropertyPart.model_validate({**fields, **changes})


def nothing(of, *reasons):
    """The same property where it does not exist."""
    empty = {"value": None, "std": None, "lower": None, "upper": None, "nominal": None, "levels": {}}
    return of.model_copy(update={**empty, "rule": "none", "reasons": list(reasons)})


def scaled(of, kappa):
    """The same property of a posterior scaled by κ."""

    def wide(end):
        return of.value + kappa * (end - of.value)

    return of.model_copy(
        update={
            "variant": "kappa",
            "kappa": kappa,
            "lower": wide(of.lower),
            "upper": wide(of.upper),
            "levels": {p: (wide(low), wide(high)) for p, (low, high) in of.levels.items()},
        }
    )


def property_record(method, parts, dataset="toy", task="elastic", **fields):
    """A record of a property task; parts None: its cell failed."""
    if parts is None:
        fields = {"status": "failed", "failure": FailurePart(reason=f"{dataset}: no", traceback=""), **fields}
    record = make_record(method, None, **{"status": "ok", "properties": parts or [], **fields})
    cell = record.cell.model_copy(update={"dataset": dataset, "task": task})
    data = record.data.model_copy(update={"hash": dataset})
    cell_id = f"{dataset}/line/{method}/{task}/{cell.seed}"
    return record.model_copy(update={"cell": cell, "data": data, "cell_id": cell_id})
