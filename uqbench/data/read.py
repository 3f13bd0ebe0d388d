"""Labelled structures from extended XYZ files and ASE databases."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.api import Array
from uqbench.data.check import check_structure, read_label
from uqbench.errors import UqbenchError
from uqbench.limits import decompressed, read_at_most

if TYPE_CHECKING:
    from ase import Atoms

MOST_BYTES = 1 << 32
"""Of a file, as it is and unpacked: forty million atoms. All of it is in memory at once."""
MOST_DIGITS = 9
"""Of a number of atoms."""
SUFFIXES = (".xyz", ".extxyz", ".xyz.gz", ".extxyz.gz", ".xyz.xz", ".extxyz.xz", ".db")


@dataclass(frozen=True)
class Keys:
    """Under which names a file stores its labels.

    Energy is the total one in eV, forces are in eV/Å, stress in eV/Å³ with ASE's sign; virial, in eV, is
    -stress * volume and is used where there is no stress. cluster: whose equal values make frames one cluster, a
    trajectory for example; None: none does.
    """

    energy: str = "energy"
    forces: str = "forces"
    stress: str = "stress"
    virial: str = "virial"
    config_type: str = "config_type"
    cluster: str | None = None


@dataclass(frozen=True)
class RawFrame:
    """A structure as read: geometry, labels, and what else is stored with it.

    atoms, energy, forces, stress, config_type, source: as in uqbench.api.Frame. info: whatever else the file says, of
    the structure or atom by atom. cluster_label: value of the key for clusters, if one was asked for.
    """

    atoms: Atoms
    energy: float | None
    forces: Array | None
    stress: Array | None
    config_type: str
    info: dict[str, object]
    source: str
    cluster_label: str | None = None

    @property
    def file(self) -> str:
        """The path in source."""
        return self.source.rpartition(", frame ")[0]


def read_frames(path: str | Path, keys: Keys | None = None, ignore: Sequence[str] = ()) -> list[RawFrame]:
    """All frames of an extended XYZ file (plain, .gz or .xz) or ASE database (.db), in their order.

    ignore: kinds of label to leave out. Stress is ignored where the cell is not periodic in three directions.
    Raises UqbenchError naming the file and the frame for anything that cannot be used.
    """
    path = Path(path)
    keys = keys or Keys()
    if not path.is_file():
        raise UqbenchError(f"{path}: no such file. Give the path of an extended XYZ file or ASE database.")
    if not path.name.endswith(SUFFIXES):
        raise UqbenchError(f"{path}: unknown kind of file. These are read: {', '.join(SUFFIXES)}.")
    read = _read_database if path.suffix == ".db" else _read_xyz
    frames = [_labelled(atoms, keys, ignore, source) for source, atoms in read(path)]
    if not frames:
        raise UqbenchError(
            f"{path}: the file holds no structures. A file with labelled structures is needed."
        )
    for kind in ("energy", "forces", "stress"):
        named = getattr(keys, kind)
        if named != kind and kind not in ignore and all(getattr(frame, kind) is None for frame in frames):
            raise UqbenchError(
                f'{path}: no frame has a {kind} label named "{named}", though it was asked for. '
                f"Correct --{kind}-key."
            )
    return frames


def _labelled(atoms: Atoms, keys: Keys, ignore: Sequence[str], source: str) -> RawFrame:
    found: dict[str, object] = {**atoms.arrays, **atoms.info}
    for name in ("key_value_pairs", "data"):
        extra = atoms.info.get(name)
        if isinstance(extra, dict):
            found.update(extra)
    if atoms.calc is not None:
        found.update({key: value for key, value in atoms.calc.results.items() if value is not None})

    geometry = type(atoms)(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    check_structure(geometry, source)

    def label(kind: str, shapes: Sequence[tuple[int, ...]]) -> Array | None:
        if kind in ignore:
            return None
        return read_label(kind, getattr(keys, kind), found, shapes, source)

    energy = label("energy", [(), (1,)])
    forces = label("forces", [(len(atoms), 3)])
    stress = None
    if atoms.pbc.all() and "stress" not in ignore:
        stress = label("stress", [(6,), (3, 3), (9,)])
        if stress is None:
            virial = label("virial", [(6,), (3, 3), (9,)])
            stress = None if virial is None else -virial / geometry.get_volume()
        stress = None if stress is None else _voigt(stress, source)
    if energy is None and forces is None and stress is None:
        known = {"numbers", "positions", "key_value_pairs", "data", "unique_id"}
        names = ", ".join(f'"{name}"' for name in found if name not in known) or "nothing"
        raise UqbenchError(
            f'{source}: no usable label. An energy ("{keys.energy}"), forces ("{keys.forces}") or a stress '
            f'("{keys.stress}") is needed (found: {names}). If they are stored under other names, pass '
            "--energy-key, --forces-key, --stress-key; otherwise take the frame out."
        )
    used = {"numbers", "positions", *(getattr(keys, field.name) for field in fields(keys))}
    return RawFrame(
        geometry,
        None if energy is None else float(energy.ravel()[0]),
        forces,
        stress,
        str(found.get(keys.config_type, "all")),
        {name: value for name, value in found.items() if name not in used},
        source,
        None if keys.cluster is None else _cluster_label(keys.cluster, found, source),
    )


def _cluster_label(key: str, found: Mapping[str, Any], source: str) -> str:
    value = found.get(key)
    if value is None or np.ndim(value) != 0:
        what = "no value" if value is None else f"an array of shape {np.shape(value)}"
        raise UqbenchError(
            f'{source}: {what} under "{key}", which --cluster-key names; a word or number of each frame is needed. '
            f"Write {key}=NAME into its comment line, the same for frames that belong together, or name another key."
        )
    return str(value)


def _voigt(stress: Array, source: str) -> Array:
    """xx yy zz yz xz xy of a (6,), (9,) or (3, 3) stress."""
    if stress.shape == (6,):
        return stress
    full = stress.reshape(3, 3)
    asymmetry = np.abs(full - full.T).max()
    if asymmetry > 1e-3 * max(np.abs(full).max(), 1e-3):
        raise UqbenchError(
            f"{source}: stress is not symmetric (largest difference {asymmetry:.3g} eV/Å³). "
            "Nine components are read as xx xy xz yx yy yz zx zy zz."
        )
    full = 0.5 * (full + full.T)
    return full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


def _read_xyz(path: Path) -> Iterator[tuple[str, Atoms]]:
    from ase.io.extxyz import read_xyz

    for number, text in enumerate(_split(_text(path), path)):
        source = f"{path}, frame {number}"
        try:
            # ASE raises whatever its parsing runs into; all of it means that the frame cannot be read.
            atoms = next(iter(read_xyz(io.StringIO(text), 0)))
        except Exception as error:
            reason = str(error).replace("ase.io.extxyz: ", "") or type(error).__name__
            raise UqbenchError(
                f"{source}: cannot be read as extended XYZ: {reason}. Mend the frame."
            ) from error
        yield source, atoms


def _text(path: Path) -> str:
    """The decompressed text; read whole because seeking in a compressed stream is very slow."""
    data = read_at_most(path, MOST_BYTES, "structures")
    if path.suffix in (".gz", ".xz"):
        data = decompressed(data, path.suffix, MOST_BYTES, str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UqbenchError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8. "
            "An extended XYZ file is text; convert it with iconv, or check that it is the file you meant."
        ) from error


def _split(text: str, path: Path) -> Iterator[str]:
    """The text of each frame; ASE alone would silently stop at the first blank line."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UqbenchError(f"{path}: the file is empty. An extended XYZ file with labels is needed.")
    start, number = 0, 0
    while start < len(lines):
        head = lines[start].strip()
        if not (head.isascii() and head.isdigit() and len(head) <= MOST_DIGITS and int(head)):
            raise UqbenchError(
                f"{path}, frame {number}, line {start + 1}: a number of atoms is needed where a frame begins, "
                f"found {head[:40]!r}. Is this an extended XYZ file, and does the frame before it have as many "
                "atoms as it says?"
            )
        end = start + 2 + int(head)
        if end > len(lines):
            raise UqbenchError(
                f"{path}, frame {number}: {head} atoms are announced and the file ends after "
                f"{max(len(lines) - start - 2, 0)}. The file is truncated: get it again or take the frame out."
            )
        yield "\n".join(lines[start:end]) + "\n"
        start, number = end, number + 1


def _read_database(path: Path) -> Iterator[tuple[str, Atoms]]:
    from ase.db import connect

    try:
        for number, row in enumerate(connect(path, type="db").select()):
            yield f"{path}, frame {number} (id {row.id})", row.toatoms(add_additional_information=True)
    # A damaged database is met by whatever SQLite, JSON and ASE run into.
    except Exception as error:
        raise UqbenchError(
            f"{path}: cannot be read as an ASE database: {type(error).__name__}: {error}."
        ) from error
