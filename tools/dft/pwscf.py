"""pw.x as an engine: one run in a folder of its own, tried again with gentler mixing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.dft.calculation import Calculation
from tools.dft.pwscf_input import GENTLER, input_text
from tools.dft.pwscf_output import CalculationFailed, Output, read_output
from tools.dft.record import Record, record_of
from uqbench.errors import UqbenchError


@dataclass(frozen=True)
class Pwscf:
    """executable: pw.x. pseudopotentials: folder of UPF files. name: of program and version, for the card."""

    executable: str
    pseudopotentials: Path
    name: str

    @classmethod
    def found(cls, pseudopotentials: Path, executable: str = "pw.x") -> Pwscf:
        """The pw.x on the path. Raises UqbenchError where there is none."""
        where = shutil.which(executable)
        if where is None:
            raise UqbenchError(
                f"{executable} is not on the path. Install Quantum ESPRESSO (Debian: apt-get install quantum-espresso "
                "abinit-data), or pass --dry for inputs and labels of a classical potential."
            )
        return cls(where, pseudopotentials, _version(where))

    def compute(self, calculation: Calculation) -> Record:
        """Labels of a structure, relaxed if asked.

        Raises CalculationFailed with the words of the last attempt, and UqbenchError if pw.x was killed.
        """
        problem = ""
        for attempt, mixing in enumerate(GENTLER, start=1):
            try:
                output = self._run(input_text(calculation, mixing))
            except CalculationFailed as error:
                problem = str(error)
                continue
            return record_of(calculation, output, self.name, attempt)
        raise CalculationFailed(f"{calculation.name}: {problem}")

    def _run(self, text: str) -> Output:
        # The folder goes whatever happens; wave functions are large.
        with tempfile.TemporaryDirectory(prefix="pw-") as folder:
            environment = dict(
                os.environ,
                ESPRESSO_TMPDIR=folder,
                ESPRESSO_PSEUDO=str(self.pseudopotentials.resolve()),
                OMP_NUM_THREADS="1",
                OPENBLAS_NUM_THREADS="1",
            )
            (Path(folder) / "pw.in").write_text(text)
            done = subprocess.run(
                [self.executable, "-in", "pw.in"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode < 0:
                # Not pw.x's own doing: nothing is recorded, and the next run computes it.
                raise UqbenchError(
                    f"{self.executable} was stopped by signal {-done.returncode} (9: often for want of memory); the "
                    "same command goes on."
                )
            try:
                return read_output(Path(folder) / "c.xml")
            except CalculationFailed as error:
                said = re.findall(r"Error in routine.*\n.*", done.stdout)
                raise CalculationFailed(" ".join([str(error), *said[-1:]])) from error


def _version(executable: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        # Without an input it prints its version and stops.
        done = subprocess.run(
            [executable], input="", cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
    match = re.search(r"Program PWSCF v\.?(\S+)", done.stdout)
    return f"Quantum ESPRESSO pw.x {match.group(1) if match else 'of unknown version'}"
