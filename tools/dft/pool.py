"""Structures of the pool, from the groups of a material's file; the same for the same file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tools.dft import cells, thermal
from tools.dft.classical import LATTICE_CONSTANTS, classical
from tools.dft.material import Group, Material
from uqbench.api import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

CLOSEST = 0.68
"""Least distance of two atoms over that of neighbours in the ground state; what comes closer is drawn again."""
MOLTEN = 0.5
"""Least share of a melt's atoms with another number of neighbours than in the crystal: short dynamics of few atoms can
freeze again; what did is drawn again."""
REACH = 1.25
"""Of neighbours, in units of their distance in the crystal."""
DRAWS = 40
STREAM = 9
"""First part of every seed; the others are of the group's name and the structure's number."""

T = TypeVar("T")


@dataclass(frozen=True)
class PoolStructure:
    """name: unique in the set. seed: of its generator. how: in words. spacing: of its mesh, 1/Å."""

    name: str
    group: str
    atoms: Atoms
    seed: tuple[int, ...]
    how: str
    spacing: float


def pool(material: Material) -> Iterator[PoolStructure]:
    """All structures that the material's groups ask for, one at a time: a melt takes a second to make.

    Raises UqbenchError for a group none of whose draws keeps atoms apart.
    """
    calculator = classical(material.classical, material.element)
    neighbours = _nearest(cells.crystal(material.ground, material.element, material.phases[material.ground]))
    made: Counter[str] = Counter()
    for group in material.pool:
        maker = _Maker(material, group, calculator, CLOSEST * neighbours)
        for _ in range(group.count):
            yield maker.make(made[group.name])
            made[group.name] += 1


class _Maker:
    """Structures of one group; the harmonic crystal of a cell is computed once."""

    def __init__(self, material: Material, group: Group, calculator: Calculator, closest: float) -> None:
        self.material, self.group, self.calculator, self.closest = material, group, calculator, closest
        lattice = material.phases[group.structure]
        own = LATTICE_CONSTANTS[material.classical] / material.phases[material.ground].a
        self.lattice, self.to_own = lattice, own
        perfect = cells.crystal(group.structure, material.element, lattice)
        self.reach = REACH * _nearest(perfect)
        self.coordination = int(coordination(perfect, self.reach)[0])
        self._roots: dict[bytes, tuple[Atoms, Array]] = {}

    def make(self, number: int) -> PoolStructure:
        group = self.group
        seed = (STREAM, *group.name.encode(), number)
        rng = np.random.default_rng(seed)
        for _ in range(DRAWS):
            atoms, how = self._draw(number, rng)
            if _nearest(atoms) >= self.closest and (not group.melt or self._molten(atoms)):
                name = f"{self.material.name}_{group.name}_{number:02d}"
                spacing = group.spacing or self.material.settings.spacing
                return PoolStructure(name, group.name, atoms, seed, how, spacing)
        raise UqbenchError(
            f"group {group.name}, structure {number}: in all of {DRAWS} draws two atoms came closer than "
            f"{self.closest:.2f} Å, or a melt froze. Lower its rattle, temperatures or strain; heat a melt more."
        )

    def _molten(self, atoms: Atoms) -> bool:
        return float(np.mean(coordination(atoms, self.reach) != self.coordination)) >= MOLTEN

    def _draw(self, number: int, rng: Generator) -> tuple[Atoms, str]:
        group = self.group
        atoms, words = self._cell(number, rng)
        scale = 1.0 if group.volume is None else rng.uniform(*group.volume)
        atoms = cells.scaled(atoms, scale)
        if group.vacancy:
            centre = atoms.positions[0].copy()
            del atoms[0]
            words.append("first site empty")
            if group.shells is not None:
                atoms = cells.shells_moved(atoms, centre, group.shells, rng)
                words.append("neighbour shells moved")
        if group.insert:
            place = np.array(_turn(group.insert, number)) * self.lattice.a * scale
            atoms.append(self.material.element)
            atoms.positions[-1] = atoms.positions[0] + place
            words.append("an atom more")
        if group.temperatures:
            temperature = _turn(group.temperatures, number)
            atoms = self._thermal(atoms, temperature, rng)
            words.append(f"{temperature:g} K")
        if group.melt:
            temperature = _turn(group.melt, number)
            atoms = self._through(atoms, lambda own: thermal.melted(own, self.calculator, temperature, rng))
            words.append(f"dynamics of disordered atoms at {temperature:g} K")
        if group.rattle is not None:
            amount = rng.uniform(*group.rattle)
            atoms.positions += rng.normal(0.0, amount, atoms.positions.shape)
            words.append(f"displacements of {amount:.3f} Å rms")
        if group.strain is not None:
            atoms = cells.deformed(atoms, np.eye(3) + _strain(group, rng))
            words.append(f"{group.strain_kind.replace('_', '-')} strain")
        return atoms, ", ".join(words)

    def _cell(self, number: int, rng: Generator) -> tuple[Atoms, list[str]]:
        group, symbol = self.group, self.material.element
        if group.slabs:
            what = _turn(group.slabs, number)
            words = f"({what.facet}) slab of {what.layers} layers"
            return cells.slab(group.structure, symbol, self.lattice.a, what), [words]
        if group.sites:
            sites = _turn(group.sites, number)
            primitive = cells.crystal(group.structure, symbol, self.lattice, "primitive")
            return cells.low_symmetry(primitive, sites, rng), [
                f"{group.structure}, low-symmetry cell of {sites} sites"
            ]
        base = cells.crystal(group.structure, symbol, self.lattice, group.cell)
        atoms = base.repeat(_turn(group.repeat, number))
        return atoms, [f"{group.structure}, {len(atoms)} sites"]

    def _thermal(self, atoms: Atoms, temperature: float, rng: Generator) -> Atoms:
        """A draw about the classical minimum that is nearest to a structure, or about itself for a perfect crystal."""
        defective = self.group.vacancy or bool(self.group.insert) or bool(self.group.slabs)
        # Cells that differ in volume only share a Hessian: the volume is put back.
        own = cells.scaled(atoms, self.to_own)
        key = np.round(
            own.get_scaled_positions() @ (own.cell.array / own.get_volume() ** (1 / 3)), 6
        ).tobytes()
        if key not in self._roots:
            rest = thermal.relaxed(own, self.calculator) if defective else own
            self._roots[key] = (rest, thermal.root_compliance(rest, self.calculator))
        rest, root = self._roots[key]
        moved = thermal.displaced(rest, root, temperature, rng)
        moved.set_cell(atoms.cell, scale_atoms=True)
        return moved

    def _through(self, atoms: Atoms, change: Callable[[Atoms], Atoms]) -> Atoms:
        """A change made by the classical potential at its own density."""
        return cells.scaled(change(cells.scaled(atoms, self.to_own)), 1.0 / self.to_own)


def _strain(group: Group, rng: Generator) -> Array:
    """(3, 3) symmetric; shear: one component off the diagonal, at least half the largest."""
    largest = group.strain or 0.0
    if group.strain_kind == "shear":
        strain = np.zeros((3, 3))
        i, j = ((0, 1), (0, 2), (1, 2))[rng.integers(3)]
        strain[i, j] = strain[j, i] = rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 1.0) * largest
        return strain
    strain = rng.uniform(-largest, largest, (3, 3))
    strain = 0.5 * (strain + strain.T)
    if group.strain_kind == "in_plane":
        strain[2, :] = strain[:, 2] = 0.0
    return strain


def _turn(choices: tuple[T, ...], number: int) -> T:
    return choices[number % len(choices)]


def coordination(atoms: Atoms, reach: float) -> NDArray[np.int_]:
    """(n,) number of neighbours of each atom within a distance, Å, periodic images included."""
    from ase.neighborlist import neighbor_list

    return np.bincount(neighbor_list("i", atoms, reach), minlength=len(atoms))


def _nearest(atoms: Atoms) -> float:
    """Least distance of two atoms, periodic images included, Å."""
    from uqbench.data.neighbours import nearest_distances

    return float(nearest_distances(atoms, 1, 4.0).min())
