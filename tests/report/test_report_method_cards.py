"""Cards of methods: from their docstrings, complete, and plain text."""

import doctest

import uqbench_methods.pops as pops
from uqbench.registry import discover
from uqbench.report import method_cards
from uqbench.report.method_cards import PARTS, card
from uqbench.report.method_cards import method_cards as cards


def test_the_example_of_a_card():
    assert doctest.testmod(method_cards).failed == 0


def test_every_method_says_what_it_costs_and_cannot_do():
    page = cards(discover().methods)
    assert page.count("<details>") == len(discover().methods)
    for name in PARTS[:2]:
        assert page.count(f"**{name}**") == len(discover().methods)


def test_a_card_has_all_of_the_docstring_and_variants_share_it():
    title, body = card(pops.__doc__)
    for word in ["Near-noiseless", "several", "Leverages", "015008", "s41524"]:
        assert word in body
    page = cards(["pops", "pops:bounds=exact", "not_installed"])
    assert page.count("<details>") == 1
    assert "POPS: bounds from the parameter sets" in page
    assert title.endswith(".")


def test_text_of_a_docstring_is_no_markup():
    title, body = card("<b>x</b>\n\n|a| <script>\n\nCost: `rm`\n")
    assert title == "<b>x</b>"
    assert "<script>" not in body
    assert "`rm`" not in body
