"""What is printed for people fits into 80 columns, and breaks where words end."""

import doctest
import io

import pytest
from rich.console import Console
from synthetic_records import make_record, make_table

import uqbench.report.narrow
import uqbench.suite.display
from uqbench.report.narrow import on_lines
from uqbench.report.terminal import summary_tables

LONG = "committee_subset:of=features,share=0.8,members=100"


@pytest.mark.parametrize("module", [uqbench.report.narrow, uqbench.suite.display], ids=lambda m: m.__name__)
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("width", range(20, 60))
def test_a_broken_name_is_the_name(width):
    text = on_lines(LONG, width)
    assert "".join(line.strip() for line in text.splitlines()) == LONG
    assert max(map(len, text.splitlines())) <= width


def test_a_table_breaks_no_word():
    records = [make_record(LONG, make_table("true")), make_record("constant", make_table("constant"))]
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in summary_tables(records):
        console.print(table)
    text = console.file.getvalue()
    words = text.split()
    assert max(map(len, text.splitlines())) <= 80
    assert "committee_subset:" in words
    assert {"of=features,share=0.8,", "members=100"} <= set(words)
    assert "score: interval score at 95 % / that of calibrated constant;" in text
    assert "cost: of a prediction / bare potential (†: the machine was busy)" in text
