"""The tables of docs/datasets.md, from the embedded cards and committed records: `python -m tools.dataset_tables`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uqbench.data.card import Card, ReferenceProperty
from uqbench.data.catalog import load_card
from uqbench.report.overview_simulations import inside_text, tallies
from uqbench.report.property_results import has_properties, section_results
from uqbench.report.sections import make_sections
from uqbench.suite.record import Record, read_records

LEADERBOARD = Path(__file__).parents[1] / "leaderboard"
RECORDS = {"al": LEADERBOARD / "records", "si": LEADERBOARD / "si/records"}
"""By dataset, in the order of the tables."""

Records = Mapping[tuple[str, str], Record]
"""By method and task."""


def references(card: Card) -> Iterator[str]:
    """A line a reference property: value and error, then published values with the numbers of their sources."""
    published = _provenance(card, "literature") or []
    sources = list(dict.fromkeys(item["source"] for item in published))
    yield from _head("property", "ours", "published")
    for item in card.properties:
        values = [
            f"{there['value']:g} [{sources.index(there['source']) + 1}]"
            for there in published
            if there["name"] == item.name
        ]
        yield _line(f"{item.name} ({item.unit})", _with_error(item), ", ".join(values) or "–")
    yield ""
    yield from (f"{number}. {source}" for number, source in enumerate(sources, start=1))


def pool(card: Card) -> Iterator[str]:
    """A line a group: structures, processor seconds of one of them, what it holds."""
    counts = _provenance(card, "counts")["groups"]
    seconds = _provenance(card, "median_cpu_seconds_per_group")
    yield from _head("group", "structures", "s each", "what")
    for name, about in card.groups.items():
        held_out = " (held out)" if name in card.held_out else ""
        yield _line(f"{name}{held_out}", str(counts[name]), f"{seconds[name]:.3g}", about)


def convergence(card: Card) -> Iterator[str]:
    """What cutoff, mesh and smearing change; the chosen ones in bold."""
    table = _provenance(card, "convergence")
    chosen: Mapping[str, Any] = card.dft
    yield from _head("setting", "ΔE (meV/atom)", "ΔF (meV/Å)", "Δσ (GPa)", "s")
    for row in table["cutoff"]:
        value = f"{row['cutoff_Ry']:g} Ry"
        yield _difference(value, row["cutoff_Ry"] == chosen["ecutwfc_Ry"], row)
    for row in table["mesh"]:
        yield _difference(f"mesh {row['mesh']}", row["chosen"], row)


def scores(records: Mapping[str, Records]) -> Iterator[str]:
    """A line a method: per dataset, tightness of forces, raw coverage, both held out, and simulation results."""
    heads = ("forces", "raw coverage", "held out: forces", "raw coverage", "inside; width")
    yield from _head("method", *(f"{name}: {head}" for name in records for head in heads))
    inside = {name: _inside(some) for name, some in records.items()}
    for method in sorted(set.intersection(*(_with_forces(some) for some in records.values()))):
        cells = [[*_scored(some, method), inside[name].get(method, "–")] for name, some in records.items()]
        yield _line(f"`{method}`", *(cell for some in cells for cell in some))


def _with_forces(records: Records) -> set[str]:
    return {
        method for (method, task), record in records.items() if task == "forces" and record.status == "ok"
    }


def _inside(records: Records) -> dict[str, str]:
    """By method, as on the leaderboard: references inside the stated bounds, and their width."""
    sections = filter(has_properties, make_sections(list(records.values()), []))
    found = tallies([result for section in sections for result in section_results(section, "pool")])
    return {method: inside_text(tally) for (method, variant), tally in found.items() if variant == "raw"}


def read() -> dict[str, Records]:
    """Committed records by dataset."""
    return {
        name: {(record.cell.method, record.cell.task): record for record in read_records(folder)}
        for name, folder in RECORDS.items()
    }


def _scored(records: Records, method: str) -> Iterator[str]:
    record, baseline = records[method, "forces"], records["constant", "forces"]
    for part in ("test", "held_out"):
        own, of_baseline = (
            r.scores["calibrated"][part]["forces"]["interval_score_95"].value for r in (record, baseline)
        )
        yield f"{own / of_baseline:.2f}"
        yield f"{100 * record.scores['raw'][part]['forces']['coverage_95'].value:.0f} %"


def _difference(what: str, chosen: bool, row: Mapping[str, Any]) -> str:
    return _line(
        f"**{what}**" if chosen else what,
        f"{row['dE_meV_per_atom']:.2f}",
        f"{row['dF_meV_per_A']:.2f}",
        f"{row['dstress_GPa']:.3f}",
        f"{row['seconds']:.0f}",
    )


def _with_error(item: ReferenceProperty) -> str:
    error = item.error_estimate
    if error is None:
        return f"{item.value:.7g}"
    digits = 0
    while error * 10**digits < 0.95 and digits < 6:
        digits += 1
    return f"{item.value:.{digits}f} ± {error:.{digits}f}"


def _provenance(card: Card, key: str) -> Any:
    return card.provenance[key]


def _head(*cells: str) -> Iterator[str]:
    yield _line(*cells)
    yield _line(":---", *(["---:"] * (len(cells) - 1)))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print them."""
    for name in RECORDS:
        card = load_card(name)
        for table in (references, pool, convergence):
            print(*table(card), "", sep="\n")
    print(*scores(read()), sep="\n")


if __name__ == "__main__":
    main()
