"""One small JSON file a calculation: structure, labels, and how well and how long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from tools.dft.calculation import Calculation
from tools.dft.pwscf_output import Output, Step
from uqbench.api import Array
from uqbench.atomic import write_atomically
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

Rows = list[list[float]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PathStep(_Part):
    """A structure on the way of a relaxation."""

    positions: Rows
    energy: float
    forces: Rows


class Record(_Part):
    """A finished calculation; units and meaning as in pwscf_output.Output.

    inputs: hash of what was computed. engine: what computed it. initial: positions before a relaxation, Å.
    attempts: at self-consistency. seconds: of the processor. status "failed": error says why, there are no labels.
    """

    name: str
    group: str
    inputs: str
    engine: str
    status: Literal["ok", "failed"] = "ok"
    error: str = ""
    symbol: str
    mesh: tuple[int, int, int]
    cutoff: float
    width: float
    cell: Rows
    positions: Rows
    initial: Rows | None = None
    energy: float = float("nan")
    minus_ts: float = 0.0
    forces: Rows = []
    stress: Rows = []
    accuracy: float = 0.0
    iterations: int = 0
    kpoints: int = 0
    bands: int = 0
    attempts: int = 1
    seconds: float = 0.0
    path: list[PathStep] = []
    about: dict[str, JsonValue] = {}

    @property
    def per_atom(self) -> float:
        """Energy in eV per atom."""
        return self.energy / len(self.positions)

    @property
    def stress_tensor(self) -> Array:
        """(3, 3) eV/Å³, as pw.x gave it."""
        return np.array(self.stress)

    @property
    def pressure(self) -> float:
        """eV/Å³, positive under compression, as pw.x gave it."""
        return -float(np.trace(self.stress_tensor)) / 3.0

    @property
    def volume(self) -> float:
        """Å³ per atom."""
        return abs(float(np.linalg.det(self.cell))) / len(self.positions)

    @property
    def largest_force(self) -> float:
        """eV/Å, of all components."""
        return float(np.abs(self.forces).max())

    def atoms(self) -> Atoms:
        """The structure, without labels."""
        from ase import Atoms

        n = len(self.positions)
        return Atoms([self.symbol] * n, positions=self.positions, cell=self.cell, pbc=True)


def record_of(calculation: Calculation, output: Output, engine: str, attempts: int) -> Record:
    """The record of a calculation that went well."""
    relaxed = bool(calculation.relax)
    return Record(
        **_asked(calculation, engine),
        cell=output.cell.tolist(),
        positions=output.positions.tolist(),
        initial=calculation.atoms.positions.tolist() if relaxed else None,
        energy=output.energy,
        minus_ts=output.minus_ts,
        forces=output.forces.tolist(),
        stress=output.stress.tolist(),
        accuracy=output.accuracy,
        iterations=output.iterations,
        kpoints=output.kpoints,
        bands=output.bands,
        attempts=attempts,
        seconds=round(output.seconds, 2),
        path=[_path_step(step) for step in output.steps] if relaxed else [],
    )


def failure_of(calculation: Calculation, engine: str, error: Exception) -> Record:
    """The record of a calculation that failed: kept, so that it is neither lost nor tried again unasked."""
    atoms = calculation.atoms
    return Record(
        **_asked(calculation, engine),
        status="failed",
        error=str(error),
        cell=atoms.cell.array.tolist(),
        positions=atoms.positions.tolist(),
    )


def write_record(path: Path, record: Record) -> None:
    """Whole or not at all."""
    text = record.model_dump_json(exclude_unset=True)
    write_atomically(path, text.encode() + b"\n")


def read_record(path: Path) -> Record | None:
    """The record in a file; None if there is no file, or one that was cut off (a copy that was interrupted).

    Raises UqbenchError for a file of JSON that is no record.
    """
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return None
        field = ".".join(map(str, first["loc"]))
        raise UqbenchError(
            f"{path}, {field}: {first['msg']}. It is not a record of this version; move it away, and it is "
            "computed again."
        ) from error


def _asked(calculation: Calculation, engine: str) -> dict:
    return {
        "name": calculation.name,
        "group": calculation.group,
        "inputs": calculation.inputs,
        "engine": engine,
        "symbol": calculation.species.symbol,
        "mesh": calculation.mesh,
        "cutoff": calculation.settings.cutoff,
        "width": calculation.settings.width,
        "about": dict(calculation.about),
    }


def _path_step(step: Step) -> PathStep:
    return PathStep(positions=step.positions.tolist(), energy=step.energy, forces=step.forces.tolist())
