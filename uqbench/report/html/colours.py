"""Colours of the page, light and dark, and of the methods in it; contrast as WCAG counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from uqbench.report.styles import Style

TEXT_CONTRAST, MARK_CONTRAST = 4.5, 3.0
"""Least contrast with what is behind: of text, and of marks and frames (WCAG 2.2 AA, 1.4.3 and 1.4.11)."""
_STEPS = 40
# Names of matplotlib's markers in plotly.js.
_SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "*": "star",
}
DASH_UNIT = 2.0
"""Pixels of one unit of a style's dashes."""


@dataclass(frozen=True)
class Theme:
    """page, panel: what is behind. ink, muted, link: text. frame: of controls. rule: decoration. focus: the ring."""

    page: str
    panel: str
    ink: str
    muted: str
    link: str
    frame: str
    rule: str
    focus: str


THEMES = {
    "light": Theme("#ffffff", "#f3f5f8", "#1b1f24", "#515a65", "#0a55a8", "#767f8b", "#d9dee4", "#0a55a8"),
    "dark": Theme("#14181d", "#1e242b", "#e8ebee", "#a9b2bd", "#7db9f5", "#7b8693", "#343c46", "#7db9f5"),
}


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colours, 1 to 21 (WCAG 2.2, relative luminance).

    >>> round(contrast("#000000", "#ffffff"), 6)
    21.0
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(colour: str, theme: Theme) -> str:
    """The colour, mixed with as little of the theme's ink as makes it a mark to be seen; black becomes the ink.

    >>> readable("#0072B2", THEMES["light"])
    '#0072B2'
    """
    behind = (theme.page, theme.panel)
    if min(contrast(colour, b) for b in behind) >= MARK_CONTRAST:
        return colour
    if colour == "#000000":
        return theme.ink
    for step in range(1, _STEPS):
        mixed = _mix(colour, theme.ink, step / _STEPS)
        if min(contrast(mixed, b) for b in behind) >= MARK_CONTRAST:
            return mixed
    return theme.ink


def looks(styles: Mapping[str, Style]) -> dict[str, dict[str, str]]:
    """By method: the name of its colour in theme_css, and its symbol and dashes as plotly.js names them."""
    return {
        method: {
            "name": f"method-{number}",
            "symbol": _SYMBOLS[style.marker],
            "dash": ",".join(f"{DASH_UNIT * d:g}px" for d in style.line[1]) or "solid",
        }
        for number, (method, style) in enumerate(styles.items())
    }


def theme_css(styles: Mapping[str, Style]) -> str:
    """Custom properties of the light theme, and of the dark one where the reader's system asks for it."""
    light, dark = (_properties(theme, styles) for theme in (THEMES["light"], THEMES["dark"]))
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _properties(theme: Theme, styles: Mapping[str, Style]) -> str:
    colours = asdict(theme)
    colours |= {f"method-{n}": readable(style.colour, theme) for n, style in enumerate(styles.values())}
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(255.0 * ((1.0 - share) * a + share * b)):02x}" for a, b in pairs)
