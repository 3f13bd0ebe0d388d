"""Rows of any number that come out of a seed a page, the same wherever shares of them begin and end."""

import numpy as np

from uqbench.api import KINDS, LinearProblem, RowBlock

PAGE = 500
STRUCTURE = 50
"""Rows of a structure: the first is an energy, the others are forces."""


def open_rows(p, first, last):
    """Rows from first up to last, P standard normal columns and labels that P coefficients reach only in part."""
    theta = np.random.default_rng(1).standard_normal(p)

    def read():
        for page in range(first // PAGE, -(-last // PAGE)):
            number = np.arange(PAGE * page, PAGE * (page + 1))
            rows = np.random.default_rng([2, page]).standard_normal((PAGE, p))
            labels = rows @ theta + 0.3 * np.sin(3.0 * rows[:, 0])
            inside = (number >= first) & (number < last)
            kind = np.where(number % STRUCTURE == 0, KINDS.index("energy"), KINDS.index("forces")).astype(
                np.int8
            )
            order = np.argsort(kind, kind="stable")
            order = order[inside[order]]
            structure = (number[order] // STRUCTURE).astype(np.int32)
            yield RowBlock(
                rows[order], labels[order], kind[order], np.zeros_like(structure), structure, structure
            )

    energies = len(range(-(-first // STRUCTURE) * STRUCTURE, last, STRUCTURE))
    counts = {k: n for k, n in (("energy", energies), ("forces", last - first - energies)) if n}
    return LinearProblem(p, counts, dict.fromkeys(KINDS, 1.0), np.arange(0), read)
