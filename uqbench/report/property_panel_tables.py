"""The section of a panel of materials: scores with intervals, or hits where there are fewer than ten."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from uqbench.report.markdown import NONE, details, escape, number, percent, table, with_interval
from uqbench.report.property_numbers import plain_name
from uqbench.report.property_panel import ALL, Materials, Standing
from uqbench.report.property_results import VARIANT_NAMES
from uqbench.scores.bootstrap import LEAST_CLUSTERS, Score

SHOWN_NAMES = 12


def panel_text(panel: Materials, figures: Sequence[str]) -> str:
    """Heading, what was scored, figure and tables."""
    parts = [f'<a id="{panel.slug}"></a>\n\n## {escape(panel.title)}\n', _notes(panel)]
    parts += [
        f"![Observed against nominal coverage of simulation results](figures/{name})\n" for name in figures
    ]
    if panel.enough:
        parts += [
            _coverages(panel.standings),
            _widths(panel.standings),
            details("By property", _by_property(panel)),
        ]
    else:
        parts.append(_hits(panel))
    return "\n".join(part for part in parts if part)


def _notes(panel: Materials) -> str:
    names = [escape(name) for name in panel.names]
    if len(names) > SHOWN_NAMES:
        names = [*names[: SHOWN_NAMES - 1], "…", names[-1]]
    tasks = sorted({section.first.cell.task for section in panel.sections})
    seeds = sorted({section.first.cell.seed for section in panel.sections})
    properties = ", ".join(escape(plain_name(name)) for name in panel.properties)
    lines = [
        f"{len(panel.names)} materials ({', '.join(names)}); tasks {', '.join(map(escape, tasks))}; "
        f"seeds {', '.join(map(str, seeds))}.",
        f"Properties with a reference: {properties}.",
    ]
    unknown = sum(r.like.reference_error is None for r in panel.results)
    if unknown:
        lines.append(
            f"{unknown} of {len(panel.results)} results have a reference whose own error is not known; it counts as "
            "none."
        )
    declined = sorted(
        {r.cell.method for s in panel.sections for r in s.records if r.status == "not applicable"}
    )
    if declined:
        lines.append(
            f"Not applicable to {', '.join(map(escape, declined))}: see "
            "[failures](#failures-and-problems) for the reason."
        )
    repeated = sorted({r.like.name for r in panel.results if r.like.name != r.like.compared_with})
    if repeated:
        lines.append(
            "The tables over all properties count every reference once: "
            f"{', '.join(escape(plain_name(n)) for n in repeated)} stand by property alone."
        )
    if panel.family != ALL:
        lines.append(
            "Materials are drawn from a few kinds of potential, and errors within a kind lean the same way; the "
            "intervals take materials as independent."
        )
    if panel.enough:
        lines.append(
            "Coverage, widths and scores are of answers; an answer is missing where a cell failed, κ cannot be had, "
            "there is no value or no spread, or more than 5 % of the samples do not have the property. Intervals: "
            f"bootstrap over materials, none where answers come from fewer than {LEAST_CLUSTERS}."
        )
    else:
        lines.append(f"Fewer than {LEAST_CLUSTERS} materials: hits are counted and no interval is given.")
    return "".join(f"- {line}\n" for line in lines)


def _coverages(standings: Sequence[Standing]) -> str:
    header = [
        "method",
        "posterior",
        "answers",
        "samples failing (%)",
        "stated bounds: coverage (claimed) (%)",
    ]
    header += ["with the references' errors (%)", "coverage 95 % (%)", "with the references' errors (%)"]
    header += ["no answer as a miss (%)"]
    lines = []
    for standing in standings:
        scores = standing.table.scores
        stated = with_interval(scores.get("coverage_stated"), percent)
        claimed = "" if standing.nominal is None else f" ({percent(standing.nominal)})"
        lines.append(
            [
                escape(standing.method),
                VARIANT_NAMES[standing.variant],
                answers(standing),
                percent(_value(scores.get("failing"))),
                f"{stated}{claimed}" if stated != NONE else NONE,
                percent(_value(scores.get("coverage_stated_with_error"))),
                with_interval(scores.get("coverage_95"), percent),
                percent(_value(scores.get("coverage_95_with_error"))),
                with_interval(scores.get("coverage_95_of_all"), percent),
            ]
        )
    return table(header, lines, text_columns=2)


def _widths(standings: Sequence[Standing]) -> str:
    header = ["method", "posterior", "κ: median (range)", "width 95 % / reference (%)", "width 95 % / error"]
    header += ["error / stated width", "interval score 95 % / reference (%)"]
    lines = []
    for standing in standings:
        scores = standing.table.scores
        lines.append(
            [
                escape(standing.method),
                VARIANT_NAMES[standing.variant],
                _kappas(standing),
                with_interval(scores.get("width_over_reference"), _in_percent),
                with_interval(scores.get("width_over_error")),
                number(_value(scores.get("error_over_width"))),
                with_interval(scores.get("interval_score_95"), _in_percent),
            ]
        )
    return table(header, lines, text_columns=2)


def _by_property(panel: Materials) -> str:
    header = ["property", "method", "posterior", "answers", "stated bounds: coverage (%)"]
    header += ["coverage 95 % (%)", "with the references' errors (%)", "width 95 % / reference (%)"]
    header += ["width 95 % / error", "interval score 95 % / reference (%)"]
    lines = []
    for name in panel.properties:
        label = escape(plain_name(name))
        for standing in panel.standings_of[name]:
            scores = standing.table.scores
            lines.append(
                [
                    label,
                    escape(standing.method),
                    VARIANT_NAMES[standing.variant],
                    answers(standing),
                    with_interval(scores.get("coverage_stated"), percent),
                    with_interval(scores.get("coverage_95"), percent),
                    percent(_value(scores.get("coverage_95_with_error"))),
                    with_interval(scores.get("width_over_reference"), _in_percent),
                    number(_value(scores.get("width_over_error"))),
                    with_interval(scores.get("interval_score_95"), _in_percent),
                ]
            )
            label = ""
    return table(header, lines, text_columns=3)


def _hits(panel: Materials) -> str:
    header = ["method", "posterior", "κ: median (range)", "stated bounds", "with the references' errors"]
    header += ["95 % intervals", "no answer", *(escape(plain_name(name)) for name in panel.properties)]
    by_name = {
        name: {(s.method, s.variant): s for s in panel.standings_of[name]} for name in panel.properties
    }
    lines = []
    for standing in panel.standings:
        n = standing.table.scores["n"].value
        own = [by_name[name].get((standing.method, standing.variant)) for name in panel.properties]
        lines.append(
            [
                escape(standing.method),
                VARIANT_NAMES[standing.variant],
                _kappas(standing),
                hits(standing, "stated"),
                hits(standing, "stated_with_error"),
                hits(standing, "95"),
                f"{n - standing.table.scores['n_answers'].value:.0f}",
                *(NONE if one is None else hits(one, "stated") for one in own),
            ]
        )
    about = "Hits of the stated bounds in all, with the references' own errors, of the 95 % intervals; by property.\n\n"
    return about + table(header, lines, text_columns=2)


def hits(standing: Standing, bounds: str) -> str:
    """References inside, of all results; no answer is no hit."""
    scores = standing.table.scores
    share, n = scores.get(f"coverage_{bounds}_of_all"), scores["n"].value
    return f"{n * share.value if share else 0.0:.0f} of {n:.0f}"


def answers(standing: Standing) -> str:
    """How many results there are of how many."""
    scores = standing.table.scores
    return f"{scores['n_answers'].value:.0f} of {scores['n'].value:.0f}"


def _kappas(standing: Standing) -> str:
    if standing.variant == "raw" or not standing.kappas:
        return NONE
    low, high = min(standing.kappas), max(standing.kappas)
    return f"{number(median(standing.kappas))} ({number(low)}–{number(high)})"


def _in_percent(value: float) -> str:
    """Three digits: a lattice constant's width is a thousandth of it."""
    return number(100.0 * value)


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value
