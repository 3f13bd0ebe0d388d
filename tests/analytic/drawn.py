"""Materials that several tests use, drawn once, and how to evaluate them."""

from functools import cache

from uqbench.analytic.materials import Material

NUMBERS = range(5)
"""One of each family."""


@cache
def material(number):
    return Material.draw(number)


@cache
def calculator(number):
    return material(number).calculator()


def energy(number, atoms):
    atoms.calc = calculator(number)
    return atoms.get_potential_energy()
