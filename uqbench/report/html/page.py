"""The page: data, styles and scripts in one file that loads nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from uqbench.atomic import write_atomically
from uqbench.report.evidence import Evidence, load_evidence
from uqbench.report.html import details
from uqbench.report.html.colours import looks, theme_css
from uqbench.report.html.failures import failures_table
from uqbench.report.html.libraries import datatables_css, datatables_js, plotly_js
from uqbench.report.html.pictures import Gallery, picture_key
from uqbench.report.html.property_table import panel_table, property_table
from uqbench.report.html.score_table import Comparison, make_comparisons, score_table
from uqbench.report.notes import gpu_records
from uqbench.report.styles import make_styles

SCRIPTS = ("format.js", "table.js", "charts.js", "details.js", "start.js")


def write_html(records: Path, out: Path) -> Path:
    """Write one self-contained page of a folder of records; returns its path.

    Written whole or not at all; the same records and datasets at hand give the same bytes. Raises UqbenchError if
    the folder has no records, or plotly or itables is not installed.
    """
    return write_html_page(records, load_evidence(records), out)


def write_html_page(records: Path, evidence: Evidence, out: Path) -> Path:
    """See write_html."""
    libraries = (plotly_js(), datatables_js())
    data, colours = _told(records, evidence)
    write_atomically(out, make_page(data, colours, libraries).encode())
    return out


def _told(folder: Path, evidence: Evidence) -> tuple[dict[str, Any], str]:
    """The page's data and colours."""
    styles = make_styles(r.cell.method for r in evidence.records)
    return {**page_data(folder, evidence), "looks": looks(styles)}, theme_css(styles)


def page_data(folder: Path, evidence: Evidence) -> dict[str, Any]:
    """All that the page shows, as plain values. folder: where the raw predictions lie."""
    records = evidence.records
    sections = evidence.sections
    comparisons = make_comparisons(sections)
    scores = score_table(comparisons)
    properties, bars = property_table(sections)
    panels = panel_table(evidence.panels)
    tables = [t for t in (scores, panels, properties, failures_table(records)) if t.rows]
    return {
        "counts": {s: sum(r.status == s for r in records) for s in ("ok", "failed", "not applicable")},
        "gpu": gpu_records(records),
        "problems": [f"{p.who}: {p.what}" for p in evidence.problems],
        "tables": [table.to_json() for table in tables],
        "comparisons": [c.title for c in comparisons],
        "bars": [b.to_json() for b in bars],
        **_behind(folder, comparisons),
    }


def _behind(folder: Path, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Details of rows, pictures, and how much of both is left out."""
    rows = [standing.row for comparison in comparisons for standing in comparison.standings]
    places = [(number, place) for number, c in enumerate(comparisons) for place in range(len(c.standings))]
    chosen = details.chosen_rows(places)
    gallery = Gallery()
    found: dict[str, Any] = {}
    for number, one in details.row_details(folder, {i: rows[i] for i in chosen}):
        record = rows[number].record
        gallery.add(record, (worst["frame"] for worst in one["worst"]))
        for worst in one["worst"]:
            worst["picture"] = picture_key(record, worst["frame"])
        found[str(number)] = one
    return {
        "details": found,
        "without_details": len(rows) - len(chosen),
        "pictures": gallery.pictures,
        "no_pictures": gallery.reasons,
        "pictures_left_out": gallery.left_out,
    }


def make_page(data: dict[str, Any], colours: str, libraries: Sequence[str]) -> str:
    """The page's text. Its policy lets no other script run and nothing be loaded, whatever the data hold."""
    own = "\n".join(_asset(name) for name in SCRIPTS)
    scripts = [*libraries, f'"use strict";\n{own}']
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    # Inside a script element nothing but "<" can end it.
    told = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    parts = {
        "policy": policy,
        "styles": f"{datatables_css()}\n{colours}\n{_asset('page.css')}",
        "data": told,
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    head, *rest = _asset("page.html").split("{{")
    pieces = [head]
    for piece in rest:
        name, _, text = piece.partition("}}")
        pieces += [parts[name], text]
    return "".join(pieces)


def _asset(name: str) -> str:
    return files("uqbench.report.html").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
