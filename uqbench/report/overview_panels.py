"""What a reader wants first of simulation results over many materials: who covers, and how tightly."""

from __future__ import annotations

from uqbench.report.markdown import NONE, escape, number, percent, table
from uqbench.report.property_panel import Materials, Standing
from uqbench.report.property_panel_tables import answers, hits
from uqbench.report.property_results import VARIANT_NAMES, Variant
from uqbench.scores.summary import MAIN_LEVEL

READING = (
    "**Coverage**: share of references inside the bounds; bold: reaches what is claimed, within the 95 % bootstrap "
    "interval. **Width**: median width of the 95 % interval over the reference. **κ**: the factor by which a posterior "
    "is scaled.\n"
)


def panel_overview(panel: Materials) -> str:
    """What to remember of a panel, and a line a method; of fewer than ten materials the former alone."""
    title = f"### {escape(panel.title)}\n\n"
    if not panel.enough:
        return title + _most_hits(panel)
    standings = {(s.method, s.variant): s for s in panel.standings}
    holding = [s for s in panel.standings if _holds(s, "95", MAIN_LEVEL)]
    lines = [f"**Hold 95 %** of {len(panel.names)} materials' references: {_named(holding)}."]
    if widths := [(w.value, s) for s in holding if (w := s.table.scores.get("width_over_reference"))]:
        width, narrowest = min(widths, key=lambda pair: pair[0])
        lines.append(
            f"**Narrowest** of these: {_named([narrowest])}, {_width_text(width)} % of the reference."
        )
    header = ["method", "95 % intervals, raw: coverage (%)", "width (%)", "× κ: coverage (%)", "width (%)"]
    header += ["stated bounds, raw: coverage (claimed) (%)", "answers, raw"]
    rows = []
    for method in dict.fromkeys(s.method for s in panel.standings):
        line = [escape(method)]
        variants: tuple[Variant, Variant] = ("raw", "kappa")
        for variant in variants:
            standing = standings.get((method, variant))
            line += [_coverage(standing, "95", MAIN_LEVEL), _width(standing)]
        raw = standings.get((method, "raw"))
        claim = raw.nominal if raw else None
        stated = _coverage(raw, "stated", claim)
        line += [stated if claim is None else f"{stated} ({100 * claim:g})", answers(raw) if raw else NONE]
        rows.append(line)
    return title + "".join(f"- {line}\n" for line in lines) + f"\n{table(header, rows)}"


def _most_hits(panel: Materials) -> str:
    inside = {id(s): int(hits(s, "stated").split(" ")[0]) for s in panel.standings}
    most = max(inside.values(), default=0)
    best = [s for s in panel.standings if inside[id(s)] == most]
    return (
        f"- **Most references inside** the stated bounds, of {len(panel.names)} materials: {_named(best)}, "
        f"{hits(best[0], 'stated')}.\n"
        if best
        else ""
    )


def _named(standings: list[Standing]) -> str:
    said = [f"{escape(s.method)} ({VARIANT_NAMES[s.variant]})" for s in standings]
    return ", ".join(said) or "none"


def _holds(standing: Standing, bounds: str, claim: float | None) -> bool:
    found = standing.table.scores.get(f"coverage_{bounds}")
    if found is None or claim is None:
        return False
    return (found.value if found.high is None else found.high) >= claim - 1e-12


def _coverage(standing: Standing | None, bounds: str, claim: float | None) -> str:
    found = standing.table.scores.get(f"coverage_{bounds}") if standing else None
    if standing is None or found is None:
        return NONE
    text = percent(found.value)
    return f"**{text}**" if _holds(standing, bounds, claim) else text


def _width(standing: Standing | None) -> str:
    found = standing.table.scores.get("width_over_reference") if standing else None
    return NONE if found is None else _width_text(found.value)


def _width_text(width: float) -> str:
    return number(100.0 * width)
