"""leaderboard.md and its figures, from a folder of records alone."""

from __future__ import annotations

from pathlib import Path

from uqbench.report.evidence import Evidence, load_evidence
from uqbench.report.figures import curve_figure, section_figures
from uqbench.report.markdown import details, escape
from uqbench.report.notes import HOW_TO_READ, machines, reproduction, section_notes
from uqbench.report.plot_learning import Curve, learning_curves
from uqbench.report.ranking import Ranking, rank_rows
from uqbench.report.sections import Section, make_sections
from uqbench.report.styles import make_styles
from uqbench.report.tables import (
    PART_NAMES,
    absolute_table,
    failures_table,
    group_tables,
    ranked_table,
    tables_of,
)
from uqbench.suite.record import write_atomically

Rankings = dict[tuple[str, str], Ranking]


def write_report(records: Path, out: Path) -> Path:
    """Write out/leaderboard.md and out/figures/ from a folder of records; returns the page's path.

    Every file is written whole or not at all, and the same records give the same bytes. Records that cannot be
    used are listed on the page. Raises UqbenchError if the folder has no records.
    """
    evidence = load_evidence(records)
    sections = make_sections(evidence.records, evidence.rows)
    styles = make_styles(r.cell.method for r in evidence.records)
    texts = []
    for curve in learning_curves(sections):
        figures = curve_figure(curve, styles)
        for name, content in figures.items():
            write_atomically(out / "figures" / name, content)
        texts += [_curve(curve, name) for name in figures if name.endswith(".svg")]
    for section in sections:
        rankings = {(kind, part): rank_rows(section.of(kind, part)) for kind, part in tables_of(section)}
        figures = section_figures(section, rankings, styles)
        for name, content in figures.items():
            write_atomically(out / "figures" / name, content)
        shown = [name for name in figures if name.endswith(".svg")]
        texts.append(_section(section, rankings, shown))
    page = out / "leaderboard.md"
    write_atomically(page, _page(evidence, sections, texts).encode())
    return page


def _page(evidence: Evidence, sections: list[Section], texts: list[str]) -> str:
    records = evidence.records
    counts = {s: sum(r.status == s for r in records) for s in ("ok", "failed", "not applicable")}
    said = (
        f"{counts['ok']} cells scored, {counts['failed']} failed, {counts['not applicable']} not applicable"
    )
    failures = failures_table(records)
    problems = "".join(f"- {escape(p.who)}: {escape(p.what)}\n" for p in evidence.problems)
    parts = [
        "# uqbench leaderboard\n\nWhich error bars can be trusted, how tight they are, and what they cost.\n",
        f"{said}, {len(evidence.problems)} problems. "
        "[How to read it](#how-to-read-it) · [Failures and problems](#failures-and-problems) · "
        "[How to reproduce it](#how-to-reproduce-it)\n",
        "".join(f"- [{escape(s.title)}](#{s.slug})\n" for s in sections) if len(sections) > 1 else "",
        *texts,
        f"## How to read it\n\n{HOW_TO_READ}",
        "## Failures and problems\n",
        failures or "No cell failed.\n",
        f"### Problems\n\n{problems}" if problems else "No record had a problem.\n",
    ]
    if records:
        parts.append(f"## How to reproduce it\n\n{reproduction(sections, records)}\n{machines(records)}")
    return "\n".join(part for part in parts if part)


def _curve(curve: Curve, figure: str) -> str:
    return (
        f"## Learning curve: {escape(curve.title)}\n\n"
        "Raw, on the same test structures whatever the train size, with 95 % cluster-bootstrap intervals. σ: the width "
        f"of the 95 % interval over 3.92, as a Gaussian has it.\n\n![{escape(_caption(figure))}](figures/{figure})\n"
    )


def _section(section: Section, rankings: Rankings, figures: list[str]) -> str:
    parts = [
        f'<a id="{section.slug}"></a>\n\n## {escape(section.title)}\n',
        section_notes(section),
        *(f"![{escape(_caption(name))}](figures/{name})\n" for name in figures),
    ]
    for (kind, part), ranking in rankings.items():
        heading = f"### {escape(kind).capitalize()}, {PART_NAMES[part]}"
        sample = ranking.standings[0].row
        size = f"{sample.counts.sum():.0f} values in {ranking.n_clusters} clusters."
        parts.append(f"{heading}\n\n{size}\n\n{ranked_table(ranking)}")
        parts.append(details("Absolute values, which also rank the potentials", absolute_table(ranking)))
    parts.append(group_tables(section))
    return "\n".join(part for part in parts if part)


def _caption(name: str) -> str:
    return {
        "calibration": "Calibration curves: observed against nominal coverage",
        "errors": "Error against predicted σ",
        "cost": "Relative interval score against cost",
        "learning": "Coverage, width and error against the number of training structures",
    }[name.removesuffix(".svg").rsplit("-", 1)[1]]
