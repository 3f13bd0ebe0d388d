"""Labelled structures of a set as extended XYZ: stress at fixed cutoff, and beside it the raw stress of pw.x."""

from __future__ import annotations

import hashlib
import io
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tools.dft.material import Earlier
from tools.dft.pulay import CutoffSlope
from tools.dft.record import Record, read_record
from uqbench.api import Array
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

REPOSITORY = Path(__file__).parents[2]


def pool_frames(earlier: Earlier | None, pool: Sequence[Record], slope: CutoffSlope) -> list[Atoms]:
    """Earlier structures, then ours; calculations that failed are left out. Raises as earlier_frames."""
    before = [] if earlier is None else earlier_frames(earlier, slope)
    return before + [_frame(record, slope) for record in pool if record.status == "ok"]


def earlier_frames(earlier: Earlier, slope: CutoffSlope) -> list[Atoms]:
    """The frames of a set that was computed before. Raises UqbenchError if its file is another one."""
    from ase.io import read

    content = (REPOSITORY / earlier.file).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != earlier.sha256:
        raise UqbenchError(
            f"{earlier.file}: the SHA-256 is {found[:12]}..., the material's file says {earlier.sha256[:12]}...; "
            "correct the one that is wrong."
        )
    frames = []
    text = io.StringIO(lzma.decompress(content).decode())
    for atoms in cast("list[Atoms]", read(text, ":", format="extxyz")):
        group = str(atoms.info["config_type"])
        info = dict(atoms.info, config_type=earlier.regroup.get(group, group))
        stress = atoms.get_stress(voigt=False)
        labels = (atoms.get_potential_energy(), atoms.get_forces(), stress)
        frames.append(_labelled(atoms, *labels, slope, info))
    return frames


def reference_frames(paths: Sequence[Path], slope: CutoffSlope) -> list[Atoms]:
    """Structures behind the reference properties, from files of records; of a relaxation the path too."""
    frames = []
    for path in paths:
        record = read_record(path)
        if record is None or record.status == "failed":
            continue
        for number, step in enumerate(record.path):
            if number and np.allclose(step.positions, record.positions, atol=1e-7):
                continue  # the last one, written below with its stress
            info: dict = {"config_type": f"{record.group}_path", "id": f"{record.name}_step{number:02d}"}
            if number == 0:
                info["relaxation_start"] = True
            atoms = record.atoms()
            atoms.positions = step.positions
            frames.append(_labelled(atoms, step.energy, np.array(step.forces), None, slope, info))
        frames.append(_frame(record, slope))
    return frames


def extended_xyz(frames: Sequence[Atoms]) -> bytes:
    """The text of a file of structures."""
    from ase.io import write

    text = io.StringIO()
    write(text, list(frames), format="extxyz")
    return text.getvalue().encode()


def _frame(record: Record, slope: CutoffSlope) -> Atoms:
    info: dict = {
        "config_type": record.group,
        "id": record.name,
        "kmesh": "x".join(map(str, record.mesh)),
        "minus_ts": record.minus_ts,
    }
    if "how" in record.about:
        info["how"] = record.about["how"]
    labels = (record.energy, np.array(record.forces), record.stress_tensor)
    return _labelled(record.atoms(), *labels, slope, info)


def _labelled(
    atoms: Atoms, energy: float, forces: Array, stress: Array | None, slope: CutoffSlope, info: dict
) -> Atoms:
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.stress import full_3x3_to_voigt_6_stress

    bare = atoms.copy()
    bare.info = info
    labels: dict = {"energy": energy, "forces": forces}
    if stress is not None:
        volume = atoms.get_volume() / len(atoms)
        labels["stress"] = full_3x3_to_voigt_6_stress(slope.corrected(stress, volume))
        bare.info = info | {"raw_stress": stress}
    bare.calc = SinglePointCalculator(bare, **labels)
    return bare
