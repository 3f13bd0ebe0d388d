"""Many records in one file: a record a line, compressed, for those without raw predictions.

Property records of a family of materials are small, alike and many; one file of them is a hundredth of the size and can
be committed.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

from uqbench.atomic import write_atomically
from uqbench.errors import UqbenchError
from uqbench.suite.record import Record, parse_record

SUFFIX = ".jsonl.xz"
LONGEST_LINE = 1 << 24
"""Bytes; a record has some ten thousand, and what a file unpacks to is not trusted."""
MOST_LINES = 1_000_000


def write_bundle(records: Sequence[Record], path: Path) -> None:
    """Write records in their order, whole or not at all; the same records give the same bytes.

    Raises UqbenchError for a name that does not end in .jsonl.xz, no records, a record with raw predictions, and one
    that repeats a cell.
    """
    if not path.name.endswith(SUFFIX):
        raise UqbenchError(f"bundle {path}: its name must end in {SUFFIX}; it is not found otherwise.")
    if not records:
        raise UqbenchError(f"bundle {path}: there are no records to write.")
    cells: set[str] = set()
    for record in records:
        if record.raw is not None:
            raise UqbenchError(
                f"bundle {path}: record {record.cell_id} has raw predictions ({record.raw.file}), which a bundle "
                "cannot hold; leave it as a file of its own."
            )
        if record.cell_id in cells:
            raise UqbenchError(f"bundle {path}: cell {record.cell_id} is given twice.")
        cells.add(record.cell_id)
    lines = "".join(f"{record.model_dump_json()}\n" for record in records)
    write_atomically(path, lzma.compress(lines.encode()))


def read_bundle(path: Path) -> list[Record]:
    """All records of a bundle; raises UqbenchError naming the file, the line, the field and the remedy."""
    return [read_line(path, number, line) for number, line in bundle_lines(path)]


def bundle_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines of a bundle with their numbers from 1, for readers that go on after one that is broken.

    Raises UqbenchError where the file itself cannot be read.
    """
    number = 0
    try:
        with lzma.open(path) as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number > MOST_LINES:
                    raise UqbenchError(f"bundle {path}: more than {MOST_LINES:,} lines; it is no bundle.")
                if len(line) == LONGEST_LINE:
                    raise UqbenchError(
                        f"bundle {path}, line {number}: longer than {LONGEST_LINE:,} bytes; it is no record."
                    )
                if line.strip():
                    yield number, line
    except (OSError, EOFError, MemoryError, lzma.LZMAError) as error:
        raise UqbenchError(
            f"bundle {path} cannot be read after line {number}: {error}. Get the file again, or delete it and run its "
            "cells again."
        ) from None


def read_line(path: Path, number: int, line: bytes) -> Record:
    """The record of one line; raises UqbenchError naming the file, the line, the field and the remedy."""
    where = f"bundle {path}, line {number}"
    record = parse_record(line, where)
    if record.raw is not None:
        raise UqbenchError(
            f"{where}: raw: record {record.cell_id} has raw predictions, which a bundle cannot hold. Delete the line "
            "and run the cell again."
        )
    return record
