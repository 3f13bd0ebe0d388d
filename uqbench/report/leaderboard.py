"""README.md and its figures, from a folder of records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from uqbench.atomic import write_atomically
from uqbench.report.evidence import Evidence, load_evidence
from uqbench.report.figures import curve_figure, section_figures
from uqbench.report.markdown import details, escape
from uqbench.report.method_cards import method_cards
from uqbench.report.notes import (
    HOW_TO_READ,
    HOW_TO_READ_PROPERTIES,
    HOW_TO_SUBMIT,
    gpu_records,
    machines,
    reproduction,
    section_notes,
)
from uqbench.report.overview import MOST_COMPARED, Overview, make_overviews, remarks
from uqbench.report.overview_panels import panel_overviews
from uqbench.report.overview_table import folded_table, main_table, reading
from uqbench.report.plot_learning import Curve, learning_curves
from uqbench.report.property_panel import Materials
from uqbench.report.property_results import has_properties
from uqbench.report.property_sections import panel_section, property_section
from uqbench.report.sections import Section
from uqbench.report.styles import make_styles
from uqbench.report.tables import (
    PART_NAMES,
    absolute_table,
    cost_table,
    failures_table,
    group_tables,
    ranked_table,
)
from uqbench.suite.record import Record

MOST_FIGURED = 4
"""Comparisons of frames with figures, which take seconds each; of the others the page has the tables."""
NOT_FIGURED = (
    f"Figures are drawn for the first {MOST_FIGURED} comparisons; `uqbench report --html` has them for all."
)

MOST_NAMED = 4
"""Datasets in the title of a page; more are counted."""


def write_report(records: Path, out: Path) -> Path:
    """Write out/README.md and out/figures/ from a folder of records; returns the page's path.

    Every file is written whole or not at all, and the same records give the same bytes. Records that cannot be
    used are listed on the page. Raises UqbenchError if the folder has no records.
    """
    return write_page(load_evidence(records), out)


def write_page(evidence: Evidence, out: Path) -> Path:
    """See write_report."""
    sections = evidence.sections
    styles = make_styles(r.cell.method for r in evidence.records)
    texts = []
    for curve in learning_curves(sections):
        figures = curve_figure(curve, styles)
        _write_figures(out, figures)
        texts += [_curve(curve, name) for name in figures]
    panels = evidence.panels
    for panel in panels:
        text, figures = panel_section(panel, styles)
        texts.append(text)
        _write_figures(out, figures)
    summarised = {s.slug for panel in panels if panel.replaces_sections for s in panel.sections}
    shown = [section for section in sections if section.slug not in summarised]
    # Predictions of frames first, simulation results after them.
    shown.sort(key=has_properties)
    figured = 0
    first_looks: dict[str, list[str]] = {}
    for section in shown:
        if has_properties(section):
            text, figures = property_section(section, styles)
            texts.append(text)
            _write_figures(out, figures)
            continue
        figures = section_figures(section, styles) if figured < MOST_FIGURED else {}
        figured += 1
        _write_figures(out, figures)
        # Sharpness against cost is what a reader looks at first, and stands at the top.
        first_looks[section.slug] = [name for name in figures if name.endswith("-cost.svg")]
        text = _section(section, [name for name in figures if not name.endswith("-cost.svg")])
        texts.append(text if figures else f"{text}\n{NOT_FIGURED}\n")
    page = out / "README.md"
    links = [(s.title, s.slug) for s in (*panels, *shown)]
    alike = [[s] for s in shown]
    alike += [list(own) for panel in panels if panel.replaces_sections for own in panel.by_command]
    glance = _glance(make_overviews(shown), panels, first_looks)
    write_atomically(
        page, _page(evidence, [glance, _contents(evidence, links), _others(out), *texts], alike).encode()
    )
    return page


def _glance(overviews: list[Overview], panels: list[Materials], first_looks: Mapping[str, list[str]]) -> str:
    """The top of the page. first_looks: figures of sharpness against cost, by section."""
    parts = []
    compared = overviews[:MOST_COMPARED]
    for number, overview in enumerate(compared):
        names = [name for s in overview.sections for name in first_looks.get(s.slug, [])]
        parts += [
            f"### {escape(overview.title)}\n",
            *filter(None, (remarks(overview), main_table(overview), folded_table(overview))),
            *([] if number else [reading(compared)]),
            *(f"![{escape(_caption(name))}](figures/{name})\n" for name in names),
        ]
    if len(overviews) > MOST_COMPARED:
        parts.append(f"{len(overviews) - MOST_COMPARED} more comparisons have their tables further down.\n")
    parts += panel_overviews(panels)
    return "\n".join(["## At a glance\n", *parts]) if parts else ""


def _contents(evidence: Evidence, links: list[tuple[str, str]]) -> str:
    records = evidence.records
    counts = {s: sum(r.status == s for r in records) for s in ("ok", "failed", "not applicable")}
    said = (
        f"{counts['ok']} cells scored, {counts['failed']} failed, {counts['not applicable']} not applicable, "
        f"{len(evidence.problems)} problems. {gpu_records(records)}\n"
    )
    listed = "".join(f"- [{escape(title)}](#{slug})\n" for title, slug in links) if len(links) > 1 else ""
    chapters = (
        "- [How to read it](#how-to-read-it) · [The methods](#the-methods) · "
        "[Failures and problems](#failures-and-problems) · [How to reproduce it](#how-to-reproduce-it) · "
        "[How to submit](#how-to-submit)\n"
    )
    return f"## On this page\n\n{said}\n{listed}{chapters}"


def _others(out: Path) -> str:
    """Links to the pages of folders of records in subfolders."""
    names = sorted(page.parent.name for page in out.glob("*/README.md") if (page.parent / "records").is_dir())
    return (
        f"Further pages: {', '.join(f'[{escape(n)}]({quote(n)}/README.md)' for n in names)}.\n"
        if names
        else ""
    )


def _write_figures(out: Path, figures: Mapping[str, bytes]) -> None:
    for name, content in figures.items():
        write_atomically(out / "figures" / name, content)


def _subject(records: Sequence[Record]) -> str:
    """What a title says of the records: datasets, if they are few, and potentials."""
    datasets = sorted({r.cell.dataset for r in records})
    backbones = sorted({r.cell.backbone.partition(":")[0] for r in records})
    if not records:
        return ""
    named = ", ".join(datasets) if len(datasets) <= MOST_NAMED else f"{len(datasets)} datasets"
    return escape(f": {named} ({', '.join(backbones)})")


def _page(evidence: Evidence, texts: list[str], alike: list[list[Section]]) -> str:
    records = evidence.records
    failures = failures_table(records)
    problems = "".join(f"- {escape(p.who)}: {escape(p.what)}\n" for p in evidence.problems)
    properties = HOW_TO_READ_PROPERTIES if any(r.properties for r in records) else ""
    parts = [
        f"# uqbench leaderboard{_subject(records)}\n\n"
        "Which error bars can be trusted, how tight they are, and what they cost.\n",
        *texts,
        f"## How to read it\n\n{HOW_TO_READ}{properties}",
        f"## The methods\n\n{method_cards(r.cell.method for r in records)}",
        "## Failures and problems\n",
        failures or "No cell failed.\n",
        f"### Problems\n\n{problems}" if problems else "No record had a problem.\n",
    ]
    if records:
        parts.append(f"## How to reproduce it\n\n{reproduction(alike, records)}\n{machines(records)}")
    parts.append(f"## How to submit\n\n{HOW_TO_SUBMIT}")
    return "\n".join(part for part in parts if part)


def _curve(curve: Curve, figure: str) -> str:
    return (
        f"## Learning curve: {escape(curve.title)}\n\n"
        "Raw, on the same test structures whatever the train size, with 95 % cluster-bootstrap intervals. σ: the width "
        f"of the 95 % interval over 3.92, as a Gaussian has it.\n\n![{escape(_caption(figure))}](figures/{figure})\n"
    )


def _section(section: Section, figures: list[str]) -> str:
    parts = [
        f'<a id="{section.slug}"></a>\n\n## {escape(section.title)}\n',
        section_notes(section),
        *(f"![{escape(_caption(name))}](figures/{name})\n" for name in figures),
    ]
    for (kind, part), ranking in section.rankings.items():
        heading = f"### {escape(kind).capitalize()}, {PART_NAMES[part]}"
        sample = ranking.standings[0].row
        size = f"{sample.counts.sum():.0f} values in {ranking.n_clusters} clusters."
        parts.append(f"{heading}\n\n{size}\n\n{ranked_table(ranking)}")
        parts.append(details("Absolute values, which also rank the potentials", absolute_table(ranking)))
    parts.append(group_tables(section))
    if costs := cost_table(section):
        parts.append(f"### Time and memory\n\n{costs}")
    return "\n".join(part for part in parts if part)


def _caption(name: str) -> str:
    return {
        "calibration": "Calibration curves: observed against nominal coverage",
        "errors": "Error against predicted σ",
        "cost": "Relative interval score against cost",
        "learning": "Coverage, width and error against the number of training structures",
    }[name.removesuffix(".svg").rsplit("-", 1)[1]]
