"""A dry run: inputs of pw.x are written, labels come from a classical potential. Everything else is as it is."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tools.dft.calculation import Calculation
from tools.dft.pwscf_input import input_text
from tools.dft.pwscf_output import CalculationFailed, Output, Step
from tools.dft.record import Record, record_of
from uqbench.atomic import write_atomically
from uqbench.properties.failures import NotConvergedError
from uqbench.properties.relax import relax

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Dry:
    """inputs: folder for them. calculator: gives the labels; cutoff, mesh and smearing mean nothing to it."""

    inputs: Path
    calculator: Calculator
    name: str = "dry run"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def compute(self, calculation: Calculation) -> Record:
        """Labels by the classical potential. Raises CalculationFailed where it finds no minimum."""
        write_atomically(self.inputs / f"{calculation.name}.in", input_text(calculation).encode())
        # One potential serves all threads.
        with self._lock:
            return record_of(calculation, self._output(calculation), self.name, attempts=1)

    def _output(self, calculation: Calculation) -> Output:
        start = calculation.atoms.copy()
        start.calc = self.calculator
        first = Step(start.positions.copy(), float(start.get_potential_energy()), start.get_forces())
        if not calculation.relax:
            return self._labels(start, ())
        try:
            end = relax(calculation.atoms, self.calculator, calculation.relax).atoms
        except NotConvergedError as error:
            raise CalculationFailed(f"{calculation.name}: {error}") from error
        return self._labels(end, (first,))

    def _labels(self, atoms: Atoms, steps: tuple[Step, ...]) -> Output:
        atoms.calc = self.calculator
        return Output(
            cell=atoms.cell.array,
            positions=atoms.positions.copy(),
            energy=float(atoms.get_potential_energy()),
            minus_ts=0.0,
            forces=atoms.get_forces(),
            stress=atoms.get_stress(voigt=False),
            accuracy=0.0,
            iterations=1,
            kpoints=1,
            bands=1,
            seconds=0.0,
            steps=steps,
        )
