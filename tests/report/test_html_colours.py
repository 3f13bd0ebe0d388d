"""Contrast as WCAG counts it, of every colour of the page."""

import itertools

import pytest

from uqbench.report.html.colours import (
    MARK_CONTRAST,
    TEXT_CONTRAST,
    THEMES,
    contrast,
    looks,
    readable,
    theme_css,
)
from uqbench.report.styles import make_styles

METHODS = make_styles(f"method{i}" for i in range(64))


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # As WebAIM's contrast checker gives them.
    [
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
        ("#ff0000", "#000000", 5.25),
    ],
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_texts_frames_and_marks_stand_out(theme):
    for behind in (theme.page, theme.panel):
        assert min(contrast(text, behind) for text in (theme.ink, theme.muted, theme.link)) >= TEXT_CONTRAST
        assert min(contrast(mark, behind) for mark in (theme.frame, theme.focus)) >= MARK_CONTRAST
        marks = [readable(style.colour, theme) for style in METHODS.values()]
        assert min(contrast(mark, behind) for mark in marks) >= MARK_CONTRAST


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_colours_stay_distinct(theme):
    colours = {style.colour: readable(style.colour, theme) for style in METHODS.values()}
    assert len(set(colours.values())) == len(colours) == 8


def test_no_two_methods_look_alike_without_colour_and_with():
    found = looks(METHODS)
    assert len({(METHODS[m].colour, o["symbol"], o["dash"]) for m, o in found.items()}) == 64
    eight = list(itertools.islice(found.values(), 8))
    assert len({o["symbol"] for o in eight}) == len({o["dash"] for o in eight}) == 8


def test_each_method_has_its_colour_in_both_themes():
    css = theme_css(make_styles(["pops"]))
    light, dark = css.split("prefers-color-scheme: dark")
    colour = make_styles(["pops"])["pops"].colour
    for text, theme in ((light, THEMES["light"]), (dark, THEMES["dark"])):
        assert f"--method-0: {readable(colour, theme)};" in text
        assert f"--ink: {theme.ink};" in text
