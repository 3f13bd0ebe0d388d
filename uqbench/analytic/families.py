"""The potentials that materials are drawn from: a formula each, and a range for every parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uqbench.analytic.pair_functional import PairFunctional
from uqbench.api import Array
from uqbench.properties.crystal import Structure

Parameters = Mapping[str, float]
Ranges = Mapping[str, tuple[float, float]]
DENSEST = 200.0
"""Density up to which embedding is tabulated: ten times that of a crystal."""


@dataclass(frozen=True)
class Family:
    """structure: of the crystal that all its materials have. symbol: of the element that they pass for.

    length: the parameter that is about the distance of nearest neighbours. ranges: lowest and highest value of
    each parameter, Å and eV. law: formula and source, for the card. write: puts the potential for a symbol into a
    folder and gives LAMMPS's commands.
    """

    name: str
    structure: Structure
    symbol: str
    law: str
    length: str
    ranges: Ranges
    write: Callable[[Parameters, str, Path], str]


def stillinger_weber(parameters: Parameters, symbol: str, folder: Path) -> str:
    """LAMMPS's own form; all derivatives vanish at its cutoff."""
    order = ("epsilon", "sigma", "a", "lambda", "gamma", "cos_theta0", "A", "B")
    values = " ".join(repr(parameters[name]) for name in order)
    path = folder / "potential.sw"
    # p = 4, q = 0; no tolerance, which would cut earlier.
    path.write_text(f"{symbol} {symbol} {symbol} {values} 4.0 0.0 0.0\n")
    return f"""pair_style sw
        pair_coeff * * "{path}" {symbol}"""


def mie(parameters: Parameters) -> PairFunctional:
    """Pairs alone: a well of the given depth at r0."""
    depth, r0, n, m = (parameters[name] for name in ("depth", "r0", "n", "m"))

    def pair(r: Array) -> Array:
        return depth / (n - m) * (m * (r0 / r) ** n - n * (r0 / r) ** m)

    return PairFunctional(pair, np.zeros_like, np.zeros_like, 1.4 * r0, parameters["reach"] * r0, DENSEST)


def gupta(parameters: Parameters) -> PairFunctional:
    """Second moment of tight binding."""
    repulsion, bond, p, q, r0 = (parameters[name] for name in ("A", "xi", "p", "q", "r0"))
    return PairFunctional(
        lambda r: 2.0 * repulsion * np.exp(-p * (r / r0 - 1.0)),
        lambda r: np.exp(-2.0 * q * (r / r0 - 1.0)),
        lambda density: -bond * np.sqrt(density),
        1.4 * r0,
        parameters["reach"] * r0,
        DENSEST,
    )


def sutton_chen(parameters: Parameters) -> PairFunctional:
    """Powers in place of exponentials: a longer tail."""
    repulsion, bond, n, m, r0 = (parameters[name] for name in ("A", "xi", "n", "m", "r0"))
    return PairFunctional(
        lambda r: 2.0 * repulsion * (r0 / r) ** n,
        lambda r: (r0 / r) ** m,
        lambda density: -bond * np.sqrt(density),
        1.4 * r0,
        parameters["reach"] * r0,
        DENSEST,
    )


def finnis_sinclair(parameters: Parameters) -> PairFunctional:
    """Two shells of bcc in one well, tapered from its bottom on, so that bcc resists Bain's path."""
    depth, alpha, bond, q, r0 = (parameters[name] for name in ("depth", "alpha", "xi", "q", "r0"))

    def pair(r: Array) -> Array:
        decay = np.exp(-alpha * (r / r0 - 1.0))
        return depth * (decay**2 - 2.0 * decay)

    return PairFunctional(
        pair,
        lambda r: np.exp(-2.0 * q * (r / r0 - 1.0)),
        lambda density: -bond * np.sqrt(density),
        parameters["start"] * r0,
        parameters["reach"] * r0,
        DENSEST,
    )


def _tabulated(form: Callable[[Parameters], PairFunctional]) -> Callable[[Parameters, str, Path], str]:
    return lambda parameters, symbol, folder: form(parameters).write(symbol, folder)


FAMILIES = (
    Family(
        "stillinger_weber",
        "diamond",
        "Si",
        "Stillinger & Weber, Phys. Rev. B 31, 5262 (1985), with p = 4, q = 0, in LAMMPS's notation; angle and cutoff "
        "are drawn too, so that second neighbours interact and a vacancy relaxes",
        "sigma",
        {
            "epsilon": (1.7, 2.4),
            "sigma": (1.95, 2.25),
            "a": (1.76, 1.84),
            "lambda": (19.0, 26.0),
            "gamma": (1.1, 1.3),
            "cos_theta0": (-0.40, -0.27),
            "A": (6.5, 7.7),
            "B": (0.55, 0.66),
        },
        stillinger_weber,
    ),
    Family(
        "mie",
        "fcc",
        "Ag",
        "Mie pairs: depth [m (r0/r)^n - n (r0/r)^m] / (n - m)",
        "r0",
        {"depth": (0.18, 0.32), "r0": (2.5, 3.1), "n": (8.5, 11.5), "m": (4.8, 6.2), "reach": (2.4, 2.7)},
        _tabulated(mie),
    ),
    Family(
        "finnis_sinclair",
        "bcc",
        "Fe",
        "after Finnis & Sinclair, Philos. Mag. A 50, 45 (1984): Morse pairs depth [x^2 - 2 x] with "
        "x = exp(-alpha (r/r0 - 1)), density exp(-2 q (r/r0 - 1)), embedding -xi sqrt(density)",
        "r0",
        {
            "depth": (0.28, 0.42),
            "alpha": (4.1, 4.9),
            "xi": (0.45, 0.95),
            "q": (1.4, 2.1),
            "r0": (2.6, 3.1),
            "start": (0.97, 1.03),
            "reach": (1.51, 1.64),
        },
        _tabulated(finnis_sinclair),
    ),
    Family(
        "gupta",
        "fcc",
        "Cu",
        "Gupta, Phys. Rev. B 23, 6265 (1981), and Cleri & Rosato, Phys. Rev. B 48, 22 (1993): "
        "pairs 2 A exp(-p (r/r0 - 1)), density exp(-2 q (r/r0 - 1)), embedding -xi sqrt(density)",
        "r0",
        {
            "A": (0.08, 0.12),
            "xi": (1.15, 1.65),
            "p": (9.0, 12.0),
            "q": (2.2, 3.3),
            "r0": (2.5, 3.0),
            "reach": (2.4, 2.6),
        },
        _tabulated(gupta),
    ),
    Family(
        "sutton_chen",
        "fcc",
        "Ni",
        "Sutton & Chen, Philos. Mag. Lett. 61, 139 (1990): pairs 2 A (r0/r)^n, density (r0/r)^m, "
        "embedding -xi sqrt(density)",
        "r0",
        {
            "A": (0.08, 0.12),
            "xi": (1.15, 1.65),
            "n": (9.0, 12.0),
            "m": (5.5, 7.5),
            "r0": (2.5, 3.0),
            "reach": (2.4, 2.6),
        },
        _tabulated(sutton_chen),
    ),
)
"""In the order in which numbers pick them."""
