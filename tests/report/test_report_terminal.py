"""The short table at the end of a run."""

import io

from rich.console import Console
from synthetic_records import failed, make_record, make_table

from uqbench.report.terminal import summary_tables


def printed(records, width=80):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for table in summary_tables(records):
        console.print(table)
    return console.file.getvalue()


def test_best_first_relative_to_the_baseline_and_within_80_columns():
    schemes = {"constant": "constant", "good": "true", "bayesian_linear:noise=false": "shuffled"}
    records = [make_record(m, make_table(s)) for m, s in schemes.items()] + [failed("sad", "no")]
    text = printed(records)
    lines = [line for line in text.splitlines() if " raw " in line or " cal. " in line]
    assert len(lines) == 6
    assert all(line.split()[0] == "good" for line in lines[:2])
    baseline = next(line for line in lines if line.split()[:2] == ["constant", "cal."])
    assert baseline.split()[2] == "1.00"
    assert "sad" not in text
    assert "bayesian_linear:noise=false" in text
    assert max(map(len, text.splitlines())) <= 80


def test_markup_in_a_name_is_text_and_no_baseline_is_no_ratio():
    text = printed([make_record("[red]x", make_table("true"))])
    assert "[red]x" in text
    assert "constant" not in text


def test_nothing_scored_gives_no_table():
    assert summary_tables([failed("sad", "no")]) == []
