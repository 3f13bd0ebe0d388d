"""The contract of a property task: its quantities, computed with a simple potential of aluminium."""

from __future__ import annotations

import numpy as np

from uqbench.api import Lattice, Material, NotApplicable, PropertyTask, Quantity
from uqbench.check.finding import Broken, Skipped
from uqbench.properties.failures import NotConvergedError, UnstableError

ALUMINIUM = Material("toy", "Al", Lattice("fcc", 3.99), {})
"""Of the lattice constant that EMT gives, without references: a task must do without them."""


def check_quantities(task: PropertyTask) -> None:
    """Every quantity names its properties with units and gives a number for each."""
    try:
        quantities = task.quantities(ALUMINIUM)
    except NotApplicable as reason:
        raise Skipped(f"not applicable to fcc aluminium without references: {reason}") from None
    if not quantities:
        raise Broken(
            "quantities returns none; raise NotApplicable with the reason where there is nothing to compute."
        )
    seen: set[str] = set()
    for quantity in quantities:
        if not isinstance(quantity, Quantity):
            raise Broken(f"quantities holds a {type(quantity).__name__}; subclass uqbench.api.Quantity.")
        names = dict(quantity.units)
        if repeated := seen & set(names):
            raise Broken(
                f"the property {sorted(repeated)[0]!r} comes from two quantities; names must differ."
            )
        seen |= set(names)
        _check_values(quantity, names)
        _check_noise(quantity, names)


def _check_values(quantity: Quantity, units: dict[str, str]) -> None:
    from ase.calculators.emt import EMT

    if not units or not all(isinstance(unit, str) and unit for unit in units.values()):
        raise Broken(f"units is {units!r}; give every property its unit as text.")
    try:
        found = quantity.measure(EMT())
    except (UnstableError, NotConvergedError) as error:
        raise Skipped(f"EMT's aluminium has no such property: {error}") from None
    if set(found) != set(units):
        raise Broken(f"measure gives {', '.join(found)}; units names {', '.join(units)}.")
    strange = [name for name, value in found.items() if not np.isfinite(value)]
    if strange:
        raise Broken(
            f"measure gives {found[strange[0]]} for {strange[0]!r}; raise UnstableError or NotConvergedError where a "
            "potential has no such property."
        )


def _check_noise(quantity: Quantity, units: dict[str, str]) -> None:
    try:
        variances = quantity.noise_variance(lambda atoms: float(len(atoms)))
    except NotApplicable:
        return
    if set(variances) != set(units) or not all(v >= 0.0 for v in variances.values()):
        raise Broken(
            f"noise_variance gives {dict(variances)!r}; one variance >= 0 for each of {', '.join(units)}."
        )
