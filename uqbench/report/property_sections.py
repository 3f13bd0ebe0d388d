"""Sections of property tasks and panels of materials: their text and the figures in it."""

from __future__ import annotations

from collections.abc import Mapping

from uqbench.report.figures import figure_files
from uqbench.report.markdown import escape
from uqbench.report.notes import section_notes
from uqbench.report.property_coverage_plot import draw_panel_coverage
from uqbench.report.property_panel import Materials
from uqbench.report.property_panel_tables import panel_text
from uqbench.report.property_plot import draw_bounds
from uqbench.report.property_results import section_results, trainings
from uqbench.report.property_tables import training_text
from uqbench.report.sections import Section
from uqbench.report.styles import Style

Files = dict[str, bytes]


def property_section(section: Section, styles: Mapping[str, Style]) -> tuple[str, Files]:
    """Text of the section of a property task of one material, and its figures by file name."""
    files: Files = {}
    parts = [f'<a id="{section.slug}"></a>\n\n## {escape(section.title)}\n', section_notes(section)]
    for number, trained_on in enumerate(trainings(section)):
        results = section_results(section, trained_on)
        stem = f"{section.slug}-properties" + (f"{number + 1}" if number else "")
        own = figure_files(lambda results=results: draw_bounds(results, styles), stem)
        parts.append(training_text(trained_on, results, f"{stem}.svg" if own else None))
        files |= own
    return "\n".join(parts), files


def panel_section(panel: Materials, styles: Mapping[str, Style]) -> tuple[str, Files]:
    """Text of the section of a panel, and its figure by file name where there are intervals."""
    stem = f"{panel.slug}-coverage"
    files = figure_files(lambda: draw_panel_coverage(panel, styles), stem) if panel.enough else {}
    return panel_text(panel, list(files)), files
