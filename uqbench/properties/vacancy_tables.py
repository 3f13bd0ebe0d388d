"""Vacancy formation energies of parameter samples by implicit differentiation, at a given lattice constant."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uqbench.api import Array, LinearBackbone
from uqbench.properties.crystal import Crystal
from uqbench.properties.displacements import free_displacements, symmetric_displacements
from uqbench.properties.failures import UnstableError
from uqbench.properties.gate import Gated, gated_energies
from uqbench.properties.implicit import Expansion
from uqbench.properties.relax import relax
from uqbench.properties.vacancy import on_its_sites, perfect_rows


@dataclass(frozen=True)
class VacancyTables:
    """expansion: of the vacancy cell about the minimum of the mean. perfect: (P,) row of (N-1)/N E(N), eV."""

    crystal: Crystal
    expansion: Expansion
    perfect: Array

    @classmethod
    def about(
        cls,
        backbone: LinearBackbone,
        elements: tuple[str, ...],
        crystal: Crystal,
        mean: Array,
        symmetric: bool = False,
    ) -> VacancyTables:
        """Relax the cell with the mean coefficients (P,), to 1e-9 eV/Å, and tabulate.

        symmetric: only within displacements that keep the site's symmetry: a dozen evaluations, small tables, and
        the same energies, but no sight of an instability that breaks the symmetry.
        Raises NotConvergedError; UnstableError if the mean has no vacancy there.
        """
        potential = backbone.potential(mean, elements)
        at_rest = relax(crystal.vacancy(), potential, 1e-9, max_steps=200, watch=on_its_sites(crystal)).atoms
        basis = symmetric_displacements(at_rest) if symmetric else free_displacements(len(at_rest))
        expansion = Expansion.about(backbone, elements, at_rest, basis)
        if not expansion.newton(mean[None]).stable[0]:
            raise UnstableError(
                f"{crystal.structure} {crystal.symbol}: the vacancy cell of the mean coefficients is a saddle point "
                "at its relaxed sites; there is no minimum to expand about."
            )
        return cls(crystal, expansion, perfect_rows(backbone, elements, [crystal])[0])

    def without_evaluations(self, samples: Array) -> Array:
        """(n,) relaxed formation energies, eV, to second order; nan where H(θ) is not positive definite."""
        return self.expansion.newton(samples).energy - samples @ self.perfect

    def gated(self, samples: Array) -> Gated:
        """Relaxed formation energies, eV, by one evaluation a sample, or behind the gate by a real relaxation.

        That begins at ideal sites and keeps their symmetry, as `vacancy_energy` does.
        """
        sites = self.crystal.vacancy()
        found = gated_energies(self.expansion, samples, on_its_sites(self.crystal), sites)
        energies = found.result.values - (samples @ self.perfect)[:, None]
        return replace(
            found, result=replace(found.result, names=("vacancy_formation_energy",), values=energies)
        )
