"""What a reader wants first of simulation results over many materials: who covers, and how tightly."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from uqbench.report.markdown import NO_BREAK, NONE, escape, number, percent, table
from uqbench.report.overview_simulations import READING as READING_SIMULATIONS
from uqbench.report.overview_simulations import inside_text, most_inside, tallies
from uqbench.report.property_panel import Materials, Standing
from uqbench.report.property_panel_tables import answers
from uqbench.report.property_results import VARIANT_NAMES, VARIANTS, Result, Variant, chosen, methods_of
from uqbench.scores.summary import MAIN_LEVEL

MANY = (
    "**Coverage**: share of references inside the bounds; bold: reaches what is claimed, within the 95 % bootstrap "
    "interval. **Width**: median width of the 95 % interval over the reference. **κ**: the factor by which a posterior "
    "is scaled."
)
FEW = (
    f"**Inside; width**: {READING_SIMULATIONS} **κ**: the factor of the conformal 95 % interval on held-out energies "
    "and forces. **Cost**: time of a sample of the posterior over that of one real computation, median over results "
    "(†: something else was running)."
)


def panel_overviews(panels: Sequence[Materials]) -> list[str]:
    """A text a panel; the first says what the columns mean of all."""
    texts = [_panel_overview(panel) for panel in panels]
    if texts:
        readings = [FEW] if not all(panel.enough for panel in panels) else []
        readings += [MANY] if any(panel.enough for panel in panels) else []
        texts[0] += "".join(f"\n{text}\n" for text in readings)
    return texts


def _panel_overview(panel: Materials) -> str:
    """What to remember of a panel, and a line a method."""
    title = f"### {escape(panel.title)}\n\n"
    if not panel.enough:
        return title + _hits_overview(panel)
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
        line += [stated if claim is None else f"{stated} ({100 * claim:.3g})", answers(raw) if raw else NONE]
        rows.append(line)
    return title + "".join(f"- {line}\n" for line in lines) + f"\n{table(header, rows)}"


def _hits_overview(panel: Materials) -> str:
    """Of fewer than ten materials, every reference counted once."""
    results = [r for r in panel.results if r.like.name == r.like.compared_with]
    found = tallies(results)
    if not found:
        return ""
    named = {f"{escape(method)} ({VARIANT_NAMES[variant]})": t for (method, variant), t in found.items()}
    header = ["method", "inside; width: raw", "inside; width: κ", "cost of a sample, raw"]
    rows = []
    for method in methods_of(results):
        inside = [inside_text(found[method, variant]) for variant in VARIANTS]
        rows.append([escape(method), *inside, _cost(results, method)])
    return f"- **Simulation results** of {len(panel.names)} materials: {most_inside(named)}.\n\n{table(header, rows)}"


def _cost(results: Sequence[Result], method: str) -> str:
    timed = [(cost, r) for r in chosen(results, method, "raw") if (cost := r.sample_cost) is not None]
    dagger = f"{NO_BREAK}†" if any(r.record.cost.get("contended") for _, r in timed) else ""
    return f"{number(median(cost for cost, _ in timed))}{dagger}" if timed else NONE


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
