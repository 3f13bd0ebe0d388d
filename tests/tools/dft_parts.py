"""Small parts that tests of tools.dft share."""

import numpy as np
from ase.build import bulk

from tools.dft.calculation import Calculation, Species
from tools.dft.material import Material, read_material
from tools.dft.pwscf_output import Output
from tools.dft.record import record_of
from tools.dft.settings import Settings
from tools.dft.units import BOHR, HARTREE

SPECIES = Species("Si", 28.085, 4, "Si.upf", "0" * 64)
SETTINGS = Settings(cutoff=12, spacing=0.6, shift=1, width=0.02, bands=1.25, threshold=1e-9)


def silicon(name="si_x", shift=0.0, relax=0.0) -> Calculation:
    """Two atoms, one of them moved along x by shift, Å."""
    atoms = bulk("Si", "diamond", a=5.47)
    atoms.positions[1, 0] += shift
    return Calculation(name, "strain", atoms, SPECIES, SETTINGS, (2, 2, 2), relax)


def output_for(calculation: Calculation, energy=-230.0) -> Output:
    """Some labels of the right shapes."""
    n = len(calculation.atoms)
    return Output(
        cell=calculation.atoms.cell.array,
        positions=calculation.atoms.positions,
        energy=energy,
        minus_ts=-0.01,
        forces=np.arange(3.0 * n).reshape(n, 3),
        stress=1e-3 * np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]]),
        accuracy=1e-9,
        iterations=6,
        kpoints=10,
        bands=7,
        seconds=1.5,
    )


class CountingEngine:
    """Gives made-up labels and remembers what it was asked for."""

    name = "counting"

    def __init__(self):
        self.asked = []

    def compute(self, calculation):
        self.asked.append(calculation.name)
        return record_of(calculation, output_for(calculation), self.name, attempts=1)


def reduced(name: str) -> Material:
    """A material with one structure of each group; without thermal cells of 31 atoms, which take seconds to make."""
    material = read_material(name)
    quick = [
        g
        for g in material.pool
        if not (g.temperatures and g.cell == "conventional" and (2, 2, 2) in g.repeat)
    ]
    pool = tuple(group.model_copy(update={"count": 1}) for group in quick)
    return material.model_copy(update={"pool": pool})


def xml_of(output: Output, converged=True, relaxed=None, with_stress=True) -> str:
    """The part of pw.x's XML file that is read, as version 6.7 writes it, in atomic units."""
    opt = ""
    if relaxed is not None:
        opt = f"<opt_conv><convergence_achieved>{_word(relaxed)}</convergence_achieved></opt_conv>"
    steps = "".join(
        f'<step n_step="{i}">{_scf(True, 5)}{_structure(output.cell, step.positions)}'
        f"<total_energy><etot>{step.energy / HARTREE:.15e}</etot></total_energy>{_forces(step.forces)}</step>"
        for i, step in enumerate(output.steps, 1)
    )
    # Rank-two arrays are in Fortran's order; the tensor is symmetric.
    stress = -output.stress / (HARTREE / BOHR**3)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<qes:espresso xmlns:qes="http://www.quantum-espresso.org/ns/qes/qes-1.0">
  <general_info><xml_format NAME="QEXSD" VERSION="20.04.30">QEXSD_20.04.30</xml_format></general_info>
  {steps}
  <output>
    <convergence_info>{_scf(converged, output.iterations, output.accuracy)}{opt}</convergence_info>
    {_structure(output.cell, output.positions)}
    <total_energy><etot>{output.energy / HARTREE:.15e}</etot>
      <demet>{output.minus_ts / HARTREE:.15e}</demet></total_energy>
    <band_structure><nbnd>{output.bands}</nbnd><nks>{output.kpoints}</nks></band_structure>
    {_forces(output.forces)}
    {f'<stress rank="2" dims="3 3" order="F">{_text(stress)}</stress>' if with_stress else ""}
  </output>
  <status>0</status>
  <timing_info><total label="PWSCF"><cpu>{output.seconds:.6e}</cpu><wall>9.9e1</wall></total></timing_info>
</qes:espresso>
"""


def _scf(converged, iterations, accuracy=0.0):
    return (
        f"<scf_conv><convergence_achieved>{_word(converged)}</convergence_achieved>"
        f"<n_scf_steps>{iterations}</n_scf_steps><scf_error>{accuracy / HARTREE:.15e}</scf_error></scf_conv>"
    )


def _structure(cell, positions):
    vectors = "".join(f"<a{i}>{_text(v / BOHR)}</a{i}>" for i, v in enumerate(cell, 1))
    atoms = "".join(
        f'<atom name="Si" index="{i}">{_text(p / BOHR)}</atom>' for i, p in enumerate(positions, 1)
    )
    return (
        f'<atomic_structure nat="{len(positions)}" alat="7.3"><atomic_positions>{atoms}</atomic_positions>'
        f"<cell>{vectors}</cell></atomic_structure>"
    )


def _forces(forces):
    return f'<forces rank="2" dims="3 {len(forces)}" order="F">{_text(forces / (HARTREE / BOHR))}</forces>'


def _text(numbers):
    return " ".join(f"{x:.15e}" for x in np.ravel(numbers))


def _word(true):
    return "true" if true else "false"
