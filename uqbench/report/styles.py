"""How a method looks in every figure: a colour, marker and line style by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uqbench.report.narrow import on_lines
from uqbench.report.ranking import Standing

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Standings = Mapping[str, Sequence[Standing]]
"""Rows by kind, as figures take them."""

# Okabe & Ito's palette, distinct to colour-blind readers, with grey for its yellow, which is faint on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_PLACES = {
    "pops": (0, 0),
    "pops_calibrated": (1, 0),
    "pops_hull": (2, 0),
    "pops_whitened": (3, 0),
    "bayesian_linear": (4, 0),
    "llpr": (5, 0),
    "pops_reference": (6, 0),
    "constant": (7, 0),
    "bootstrap": (0, 1),
    "committee_subset": (1, 1),
    "cqr": (2, 1),
    "correlated_noise_ensemble": (3, 1),
    "mean_variance": (4, 1),
    "correlated_noise": (5, 1),
    "deep_ensemble": (6, 1),
    "external": (7, 1),
    "shallow_ensemble": (0, 2),
    "extrapolation_grade": (1, 2),
    "constant_network": (2, 2),
}
"""Colour and turn of the methods that come with uqbench: the same in every figure of every page."""
NAME_WIDTH, MOST_LINES = 28, 3
"""Of names in figures, in characters and lines."""
Dashes = tuple[float, tuple[float, ...]]
_LINES: tuple[Dashes, ...] = (
    (0, ()),
    (0, (5.0, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5.0, 1.5, 1.2, 1.5)),
    (0, (9.0, 2.0)),
    (0, (3.0, 1.0, 1.0, 1.0, 1.0, 1.0)),
    (0, (2.5, 2.5)),
    (0, (7.0, 1.5, 1.2, 1.5, 1.2, 1.5)),
)


@dataclass(frozen=True)
class Style:
    """Colour, marker and line style."""

    colour: str
    marker: str
    line: Dashes

    @property
    def gaps(self) -> float:
        """Share of the line that is not drawn; those with more go on top, so that equal curves are all seen."""
        lengths = self.line[1]
        return sum(lengths[1::2]) / sum(lengths) if lengths else 0.0


def make_styles(methods: Iterable[str]) -> Mapping[str, Style]:
    """A style for each method: its place, a method with parameters in the colour of its name; others by their name.

    All three together differ between any 64; up to 8 methods that have no place have colours of their own.
    """
    names = sorted(set(methods))
    taken = {_PLACES[name] for name in names if name in _PLACES}
    styles = {}
    for name in names:
        place = _PLACES.get(name)
        if place is None:
            place = next(p for p in _wanted(name) if p not in taken)
            taken.add(place)
        colour, turn = place
        marker = _MARKERS[(colour + turn) % len(_MARKERS)]
        styles[name] = Style(_COLOURS[colour], marker, _LINES[(colour + 3 * turn) % len(_LINES)])
    return styles


def _wanted(name: str) -> Iterator[tuple[int, int]]:
    """Places in the order in which a method that has none takes one."""
    n = len(_COLOURS)
    base = name.split(":")[0]
    if base in _PLACES:
        colour, first = _PLACES[base]
        yield from ((colour, turn) for turn in range(first, n))
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % n
    yield from (((start + k) % n, turn) for turn in range(n) for k in range(n))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches. Not through pyplot: no backend is chosen and no figure is kept alive."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def method_handles(
    methods: Iterable[str], styles: Mapping[str, Style], *, lines: bool, markers: bool
) -> list[Line2D]:
    """Legend entries of methods as lines, markers or both, in order of their names."""
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [],
            [],
            color=styles[name].colour,
            linestyle=styles[name].line if lines else "",
            marker=styles[name].marker if markers else "",
            label=figure_name(name),
        )
        for name in sorted(set(methods))
    ]


def plain_ticks(direction: Axis) -> None:
    """0.5, 1, 2 in place of powers of ten on a logarithmic axis that spans little."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    low, high = direction.get_view_interval()
    steps = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 20.0 * low else (1.0, 2.0, 5.0)
    direction.set_major_locator(LogLocator(subs=steps if high < 300.0 * low else (1.0,)))
    direction.set_major_formatter(StrMethodFormatter("{x:g}"))
    direction.set_minor_formatter(NullFormatter())


def figure_name(name: str) -> str:
    """A method's name as figures have it: on several lines where it is long, with no mathematics in it."""
    lines = on_lines(name, NAME_WIDTH).splitlines()
    return "\n".join(clip(line) for line in lines[:MOST_LINES]).replace("$", r"\$")


def clip(line: str) -> str:
    """At most NAME_WIDTH characters, for a name may be of any length."""
    return line if len(line) <= NAME_WIDTH else f"{line[: NAME_WIDTH - 1]}…"
