"""One side of a comparison: its records by cell, where their raw predictions lie, and what could not be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from uqbench.errors import UqbenchError
from uqbench.suite.bundle import SUFFIX, bundle_lines, read_line
from uqbench.suite.plan import Cell
from uqbench.suite.raw import RawTable
from uqbench.suite.record import SCHEMA_VERSION, Record, parse_record, read_raw


@dataclass(frozen=True)
class Entry:
    """A record and the file it stands in: one of its own, or a bundle."""

    record: Record
    path: Path

    @property
    def bundled(self) -> bool:
        """Whether it is a line of a bundle."""
        return self.path.name.endswith(SUFFIX)

    def tables(self) -> dict[str, RawTable]:
        """Raw predictions by kind; raises UqbenchError if there are none, or they are missing or altered."""
        return read_raw(self.path.parent, self.record)

    def raw_bytes(self) -> bytes | None:
        """The file of raw predictions as it is, None where the record has none; raises UqbenchError as tables."""
        if self.record.raw is None:
            return None
        self.tables()
        return (self.path.parent / self.record.raw.file).read_bytes()


@dataclass(frozen=True)
class Side:
    """entries: by cell_id. problems: what could not be read, by file (and line of a bundle), with the reason."""

    entries: Mapping[str, Entry]
    problems: Mapping[str, str]


def read_side(folder: Path) -> Side:
    """All records of a folder and its bundles; one that cannot be read is a problem and leaves the others alone.

    Raises UqbenchError if the folder holds no records at all.
    """
    entries: dict[str, Entry] = {}
    problems: dict[str, str] = {}
    for name, path, read in _sources(folder):
        try:
            record = read()
            _check_cell(record, name)
            if record.cell_id in entries:
                other = entries[record.cell_id].path.name
                raise UqbenchError(f"{name}: cell {record.cell_id} has a record in {other} too; delete one.")
            entries[record.cell_id] = Entry(record, path)
        except UqbenchError as error:
            text = str(error).replace(f"{folder}/", "")
            for said in ("", "record ", "bundle "):
                text = text.removeprefix(f"{said}{name}: ")
            problems[name] = text
    if not entries and not problems:
        raise UqbenchError(
            f"{folder} holds no records (*.json, *{SUFFIX}); run `python -m uqbench run --out ...` first."
        )
    return Side(entries, problems)


def check_version(content: bytes, name: str) -> None:
    """Raise UqbenchError unless a record says that it is of the schema that is read here.

    A record that says nothing is refused as well: a default must not pass an old one off as new.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UqbenchError(f"{name}: not JSON ({error}). Delete it and run the cell again.") from None
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version is None:
        raise UqbenchError(
            f"{name}: schema_version is missing, so it is no record of uqbench. Remove it from the folder."
        )
    if version != SCHEMA_VERSION:
        raise UqbenchError(
            f"{name}: schema_version is {version!r}, and this uqbench reads {SCHEMA_VERSION}. Run the cell again, "
            "or compare with the uqbench that wrote it."
        )


def _sources(folder: Path) -> Iterator[tuple[str, Path, Callable[[], Record]]]:
    """Name for people, file and reader of each record: files of their own first, then lines of bundles."""
    for path in sorted(folder.glob("*.json")):
        yield path.name, path, lambda p=path: _read_file(p)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            for number, line in bundle_lines(path):
                name = f"{path.name}, line {number}"
                yield name, path, lambda p=path, n=number, text=line, name=name: _read_line(p, n, text, name)
        except UqbenchError as error:
            yield path.name, path, lambda error=error: _fail(error)


def _read_file(path: Path) -> Record:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UqbenchError(f"{path.name} cannot be read: {error}.") from None
    check_version(content, path.name)
    return parse_record(content, path.name)


def _read_line(path: Path, number: int, line: bytes, name: str) -> Record:
    check_version(line, name)
    return read_line(path, number, line)


def _fail(error: UqbenchError) -> Record:
    raise error


def _check_cell(record: Record, name: str) -> None:
    expected = Cell(**record.cell.model_dump()).cell_id
    if record.cell_id != expected:
        raise UqbenchError(
            f"{name}: cell_id is {record.cell_id}, but cell says {expected}. Run the cell again."
        )
