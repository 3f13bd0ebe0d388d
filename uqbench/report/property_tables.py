"""A section of simulation results of one material: what each method says of each property, beside the reference."""

from __future__ import annotations

from collections.abc import Sequence

from uqbench.report.markdown import NONE, details, escape, number, table
from uqbench.report.property_numbers import (
    MARKS,
    claim,
    decimals,
    fixed,
    plain_name,
    reference_text,
    span,
)
from uqbench.report.property_results import (
    VARIANT_NAMES,
    VARIANTS,
    Result,
    by_property,
    chosen,
    methods_of,
)
from uqbench.suite.record import Range

FATES = ("accepted", "computed", "unstable", "not converged")
UNKNOWN_PROTOCOL = (
    "‡ The card does not say fully how this reference was computed; "
    "the prediction may not be the same computation.\n"
)


def training_text(trained_on: str, results: Sequence[Result], figure: str | None) -> str:
    """All that is shown of the fits on one part of the data (a material has at least one property)."""
    heading = f"### Trained on the {escape(trained_on)}"
    if trained_on != "pool":
        heading += " (extrapolation)"
    parts = [f"{heading}\n"]
    if figure is not None:
        parts.append(f"![Bounds of simulation results beside their references](figures/{figure})\n")
    parts += [bounds_table(results), hits_list(results)]
    if not all(r.like.protocol_known for r in results if r.like.reference is not None):
        parts.append(UNKNOWN_PROTOCOL)
    parts += [
        details("Samples: their fate and cost", samples_table(results)),
        details("95 % intervals, exact bounds and corners", intervals_table(results)),
    ]
    reasons = reasons_list(results)
    if reasons:
        parts.append(details("Reasons and remarks", reasons))
    return "\n".join(part for part in parts if part)


def bounds_table(results: Sequence[Result]) -> str:
    """Prediction and stated bounds of every property and method, raw beside scaled."""
    header = ["property: reference", "method", "prediction", "raw: bounds", "claim", "error / width"]
    header += ["κ", "× κ: bounds", "error / width"]
    lines = []
    for name, own in by_property(results):
        digits = decimals(own)
        like = own[0].like
        label = f"**{escape(plain_name(name))}** ({escape(like.unit)}): {reference_text(like, digits)}"
        for method in methods_of(own):
            raw, scaled = (chosen(own, method, variant)[0] for variant in VARIANTS)
            parts = [part for part in (raw.part, scaled.part) if part is not None]
            value = next((part.value for part in parts if part.value is not None), None)
            nominal = next((part.nominal for part in parts if part.nominal is not None), None)
            kappa = number(scaled.part.kappa) if scaled.part else NONE
            line = [label, escape(method), fixed(value, digits), _bounds(raw, digits), claim(nominal)]
            line += [number(raw.error_over_width), kappa, _bounds(scaled, digits)]
            lines.append([*line, number(scaled.error_over_width)])
            label = ""
    return table(header, lines, text_columns=2)


def _bounds(result: Result, digits: int) -> str:
    """Stated bounds with their verdict."""
    bounds, verdict = result.stated, verdict_text(result, result.stated)
    return verdict if bounds is None else f"{span(bounds, digits)} {verdict}"


def verdict_text(result: Result, bounds: Range | None) -> str:
    """✓ or ✗, or why there is neither."""
    verdict = result.verdict(bounds)
    if verdict == "no answer" and result.stated is not None and result.failing:
        return f"no answer: {100.0 * result.failing:.0f} % of samples fail"
    if verdict == "outside" and result.verdict(bounds, result.like.reference_error or 0.0) == "inside":
        return "✗ (✓ with ±)"
    return MARKS[verdict]


def hits_list(results: Sequence[Result]) -> str:
    """How many references each method has inside; empty where there is none."""
    scored = [r for r in results if r.like.reference is not None]
    lines = []
    for method in methods_of(scored):
        own = [chosen(scored, method, variant) for variant in VARIANTS]
        stated = ", ".join(f"{_hits(r, '')} {VARIANT_NAMES[r[0].variant]}" for r in own)
        at_95 = ", ".join(f"{_hits(r, '95')} {VARIANT_NAMES[r[0].variant]}" for r in own)
        missing = [f"{n} {VARIANT_NAMES[r[0].variant]}" for r in own if (n := sum(not x.answered for x in r))]
        text = f"- {escape(method)}: hits {stated}; 95 % intervals {at_95}"
        lines.append(text + (f"; no answer: {', '.join(missing)}\n" if missing else "\n"))
    return "".join(lines)


def _hits(results: Sequence[Result], level: str) -> str:
    inside = sum(r.verdict(r.at_95 if level else r.stated) == "inside" for r in results)
    return f"{inside} of {len(results)}"


def samples_table(results: Sequence[Result]) -> str:
    """Fate and cost of the samples: a line for each set of properties that were computed together."""
    header = ["method", "posterior", "properties", "carried by", "samples", *FATES]
    header += ["all samples (s)", "a sample / a real computation"]
    names = list(dict.fromkeys(r.like.name for r in results))
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        part = result.part
        if part is not None:
            facts = (*sorted(part.counts.items()), *sorted(part.seconds.items()), part.route)
            groups.setdefault((result.method, result.variant, facts), []).append(result)
    lines = []
    for own in groups.values():
        first, part = own[0], own[0].part
        if part is None:
            continue
        together = [plain_name(r.like.name) for r in own]
        which = "all" if len(together) == len(names) else escape(", ".join(together))
        lines.append(
            [escape(first.method), VARIANT_NAMES[first.variant], which, escape(part.route)]
            + [str(part.counts.get(fate, 0)) for fate in ("samples", *FATES)]
            + _cost(first, part.seconds.get("all"))
        )
    lines.sort(key=lambda line: (line[0], line[1] != "raw"))
    remark = "† Something else was running: times are not to be compared.\n"
    text = table(header, lines, text_columns=4)
    return f"{text}\n{remark}" if any("†" in cell for line in lines for cell in line) else text


def _cost(result: Result, spent: float | None) -> list[str]:
    relative = result.sample_cost
    busy = " †" if result.record.cost.get("contended") and spent is not None else ""
    return [f"{number(spent)}{busy}", f"{number(relative)}{busy}" if relative is not None else NONE]


def intervals_table(results: Sequence[Result]) -> str:
    """What else there is of each result: its 95 % interval, and the wider bounds of a bounded posterior."""
    header = ["property", "method", "posterior", "95 % interval", "from", "reference inside"]
    header += ["exact bounds", "samples and corners"]
    lines = []
    for name, own in by_property(results):
        digits = decimals(own)
        label = f"{escape(plain_name(name))} ({escape(own[0].like.unit)})"
        for result in own:
            part = result.part
            if part is None:
                continue
            line = [label, escape(result.method), VARIANT_NAMES[result.variant], span(result.at_95, digits)]
            line += [escape(part.rule), verdict_text(result, result.at_95)]
            lines.append([*line, span(part.exact, digits), span(part.corners, digits)])
            label = ""
    about = (
        "Exact: of a property that is linear in the coefficients, over the whole bounded posterior. Corners: the "
        "samples and real computations at the two ends of the bounded posterior along the property's gradient; none "
        "where an end has no such property.\n\n"
    )
    return about + table(header, lines, text_columns=3)


def reasons_list(results: Sequence[Result]) -> str:
    """Why something does not exist or has a remark, with the properties it is said of."""
    said: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        reasons = result.part.reasons if result.part else [result.why]
        for reason in reasons:
            key = (result.method, VARIANT_NAMES[result.variant], reason)
            said.setdefault(key, []).append(plain_name(result.like.name))
    n = len({r.like.name for r in results})
    speakers: dict[tuple[str, str], list[str]] = {}
    for (method, variant, reason), names in said.items():
        which = "all properties" if len(names) == n else ", ".join(names)
        speakers.setdefault((which, reason), []).append(f"{method} ({variant})")
    everyone = len({(r.method, r.variant) for r in results})
    lines = []
    for (which, reason), names in speakers.items():
        who = "all methods" if len(names) == everyone else ", ".join(names)
        lines.append(f"- {escape(who)}, {escape(which)}: {escape(reason)}\n")
    return "".join(lines)
