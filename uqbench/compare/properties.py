"""Simulation results of two records of one cell, by their stated numbers: samples are not kept, so no test is made."""

from __future__ import annotations

import math
from collections.abc import Iterator

from uqbench.compare.findings import Finding, factor, shown
from uqbench.suite.record import PropertyPart, Record

WIDTH_TOLERANCE = math.log(1.10)
"""Of the width of bounds: 10 %."""
MISS_TOLERANCE = 0.05
"""Of how far the reference lies outside the bounds, in widths before."""
LOST_TOLERANCE = 0.05
"""Of the share of samples that are unstable or do not converge: 5 points."""
STATED = "stated numbers, no interval; "
SAME = 1e-9
"""Relative difference of references that is rounding."""


def changed_references(base: Record, new: Record) -> list[str]:
    """Properties whose reference, or what it is compared with, is another one, in words."""
    before, after = _by_key(base), _by_key(new)
    found: dict[str, None] = {}
    for key, old in before.items():
        now = after.get(key)
        if now is None or now.value is None or old.value is None or not _other_reference(old, now):
            continue
        was, is_now = (
            "none" if p.reference is None else f"{shown(p.reference, p.unit)} ({p.compared_with})"
            for p in (old, now)
        )
        found[f"the reference of {old.name} changed ({was} before, {is_now} now)"] = None
    return list(found)


def compare_properties(base: Record, new: Record) -> list[Finding]:
    """Differences beyond the tolerances; of several properties with the same thing to say, the worst stands for all.

    Distances from references that changed are left out; see changed_references.
    """
    before, after = _by_key(base), _by_key(new)
    groups: dict[tuple[str, bool], list[Finding]] = {}
    for key, old in before.items():
        for kind, found in _differences(base.cell_id, old, after.get(key)):
            groups.setdefault((kind, found.worse), []).append(found)
    return [_with_number(sorted(g, key=lambda f: -f.size)) for g in groups.values()]


def same_properties(base: Record, new: Record) -> bool:
    """Whether all results are equal to the last bit; times are not looked at."""
    return _untimed(base) == _untimed(new)


def _untimed(record: Record) -> list[PropertyPart]:
    return [p.model_copy(update={"seconds": {}}) for p in record.properties]


def _by_key(record: Record) -> dict[tuple[str, str, str], PropertyPart]:
    return {(p.name, p.trained_on, p.variant): p for p in record.properties}


def _differences(where: str, old: PropertyPart, new: PropertyPart | None) -> Iterator[tuple[str, Finding]]:
    """Each with the kind of difference it is, as one property of another has the same."""
    name = f"{old.name} ({old.variant}, trained on {old.trained_on})"
    if old.value is not None and (new is None or new.value is None):
        why = "; ".join(new.reasons) if new is not None else ""
        yield (
            "value",
            Finding(
                where, name, True, shown(old.value, old.unit), "none", why or "no value any more", math.inf
            ),
        )
        return
    if new is None:
        return
    was, now = _lost_share(old), _lost_share(new)
    if abs(now - was) > LOST_TOLERANCE:
        yield (
            "samples",
            Finding(
                where,
                f"samples without a result, {name}",
                now > was,
                shown(was, "%"),
                shown(now, "%"),
                f"{STATED}tolerance {100 * LOST_TOLERANCE:g} points",
                abs(now - was) / LOST_TOLERANCE,
            ),
        )
    if old.lower is None or old.upper is None or not old.upper > old.lower:
        return
    if new.lower is None or new.upper is None or not new.upper > new.lower:
        yield (
            "bounds",
            Finding(where, f"bounds of {name}", True, "given", "none", "no bounds any more", math.inf),
        )
        return
    was, now = _miss(old), _miss(new)
    width, change = old.upper - old.lower, math.log((new.upper - new.lower) / (old.upper - old.lower))
    missed = not _other_reference(old, new) and abs(now - was) > MISS_TOLERANCE * width
    # Bounds that are narrower and miss by it are no improvement.
    if abs(change) > WIDTH_TOLERANCE and not (change < 0.0 and missed and now > was):
        yield (
            "width",
            Finding(
                where,
                f"width of bounds, {name}",
                change > 0.0,
                shown(width, old.unit),
                shown(new.upper - new.lower, new.unit),
                f"{factor(change)}; {STATED}tolerance {factor(WIDTH_TOLERANCE)}",
                abs(change) / WIDTH_TOLERANCE,
            ),
        )
    if missed:
        yield (
            "miss",
            Finding(
                where,
                f"distance of the reference from the bounds, {name}",
                now > was,
                shown(was, old.unit) if was else "inside",
                shown(now, new.unit) if now else "inside",
                f"{STATED}tolerance {100 * MISS_TOLERANCE:g} % of the width before",
                abs(now - was) / (MISS_TOLERANCE * width),
            ),
        )


def _other_reference(old: PropertyPart, new: PropertyPart) -> bool:
    if (old.compared_with, old.unit) != (new.compared_with, new.unit):
        return True
    if old.reference is None or new.reference is None:
        return old.reference is not new.reference
    return not math.isclose(old.reference, new.reference, rel_tol=SAME, abs_tol=SAME)


def _miss(part: PropertyPart) -> float:
    """How far the reference lies outside the bounds; 0 inside, or without a reference."""
    if part.reference is None or part.lower is None or part.upper is None:
        return 0.0
    return max(part.lower - part.reference, part.reference - part.upper, 0.0)


def _lost_share(part: PropertyPart) -> float:
    lost = sum(part.counts.get(fate, 0) for fate in ("unstable", "not converged"))
    return lost / max(1, part.counts.get("samples", 0))


def _with_number(group: list[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    return Finding(**{**vars(first), "why": f"{first.why}; and {len(group) - 1} more properties alike"})
