"""Committees for tests: effective-medium aluminium and copper-gold with changed parameters and energy zeros."""

from pathlib import Path

import numpy as np

MODULE = '''"""A committee: effective-medium theory, its parameters changed a little."""
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.calculators.emt import EMT, parameters


class Other(EMT):
    """EMT with V0 of every element times a factor, and energies of another zero (eV an atom)."""

    def __init__(self, factor, zero=0.0):
        super().__init__()
        self.factor, self.zero = factor, zero
        self.lock = lambda: None  # which cannot be pickled

    def initialize(self, atoms):
        saved = dict(parameters)
        for symbol, (e0, s0, v0, *rest) in saved.items():
            parameters[symbol] = (e0, s0, v0 * self.factor, *rest)
        super().initialize(atoms)
        parameters.update(saved)

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        shift = self.zero * len(self.atoms)
        self.results["energy"] += shift
        self.results["free_energy"] += shift


class Stressless(Other):
    """Gives no stress."""

    implemented_properties = [p for p in EMT.implemented_properties if p != "stress"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.results.pop("stress", None)


class Picky(Other):
    """Refuses cells of more than 3.8 Å a side."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if atoms.cell.lengths().max() > 3.8:
            raise ValueError("too large a cell")
        super().calculate(atoms, properties, system_changes)


class Endless(Other):
    """Gives energies that are no numbers."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] = float("nan")


def members():
    return [Other(1.0), Other(1.02, 500.0), Other(0.97, -3.0)]


def alike():
    return [Other(1.0), Other(1.02), Other(0.97)]


def one():
    return EMT()


def none():
    return []


def number():
    return 7


def fails():
    raise OSError("no licence")


def text():
    return ["EMT", "EMT"]


def same():
    return [Other(1.0)] * 3


def stressless():
    return [Stressless(1.0), Stressless(1.02)]


def mixed():
    return [Other(1.0), Stressless(1.02)]


def picky():
    return [Other(1.0), Picky(1.02)]


def endless():
    return [Other(1.0), Endless(1.02)]
'''


def write_module(folder: Path) -> Path:
    path = folder / "committee.py"
    path.write_text(MODULE)
    return path


def copper_gold(path: Path, count: int = 36, strangers: int = 0) -> Path:
    """Small cells labelled by effective-medium theory, in several clusters; a few hold nickel."""
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    rng = np.random.default_rng(0)
    frames = []
    for i in range(count):
        atoms = bulk("Cu", cubic=True, a=3.7)
        atoms.symbols[: 1 + i % 3] = "Au"
        if i < strangers:
            atoms.symbols[3] = "Ni"
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.standard_normal((3, 3))), scale_atoms=True)
        atoms.rattle(0.1, rng=rng)
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy() + 0.02 * rng.standard_normal(),
            "forces": atoms.get_forces() + 0.05 * rng.standard_normal((len(atoms), 3)),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(path, frames)
    return path
