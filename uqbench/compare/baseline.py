"""New results put in place of those they were compared with, all or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from uqbench.atomic import write_atomically
from uqbench.compare.side import Entry, Side, read_side
from uqbench.errors import UqbenchError
from uqbench.suite.bundle import read_bundle, write_bundle
from uqbench.suite.plan import Cell
from uqbench.suite.record import write_record


def update_folder(folder: Path, new: Side) -> str:
    """Put new's records in place of those of the same cells in a folder; what only the folder has stays.

    The folder is copied, changed and swapped by renaming. Gives a sentence of what changed. Raises UqbenchError if
    new has records that could not be read, or the folder cannot be written.
    """
    if new.problems:
        name, reason = next(iter(new.problems.items()))
        raise UqbenchError(
            f"the baseline stays as it is: {name} could not be read ({reason}). Remove or repair it."
        )
    folder = folder.resolve()
    base = read_side(folder)
    try:
        staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise UqbenchError(f"the baseline {folder} cannot be written: {error}.") from None
    try:
        copy = shutil.copytree(folder, staging / "new")
        _remove(copy, [base.entries[cell] for cell in new.entries if cell in base.entries])
        for entry in new.entries.values():
            stem = Cell(**entry.record.cell.model_dump()).file_stem
            write_record(copy, stem, entry.record, entry.raw_bytes())
        _swap(folder, copy, staging / "old")
    finally:
        if folder.exists():
            shutil.rmtree(staging)
    replaced = sum(cell in base.entries for cell in new.entries)
    failed = sum(entry.record.status == "failed" for entry in new.entries.values())
    return (
        f"{folder.name}: {replaced} records replaced, {len(new.entries) - replaced} added"
        + (f" ({failed} of them failures)" if failed else "")
        + f", {len(base.entries) - replaced} left as they were."
    )


def update_file(path: Path, new: Path) -> str:
    """Put a file of benchmarks in place of another."""
    write_atomically(path, new.read_bytes())
    return f"{path.name}: replaced."


def _swap(folder: Path, copy: Path, old: Path) -> None:
    os.rename(folder, old)
    try:
        os.rename(copy, folder)
    except OSError:
        os.rename(old, folder)
        raise


def _remove(copy: Path, entries: list[Entry]) -> None:
    """Take records out of a folder, files and lines of bundles alike."""
    cells = {e.record.cell_id for e in entries}
    for entry in (e for e in entries if not e.bundled):
        (copy / entry.path.name).unlink()
        if entry.record.raw is not None:
            (copy / Path(entry.record.raw.file).name).unlink(missing_ok=True)
    for name in {e.path.name for e in entries if e.bundled}:
        left = [r for r in read_bundle(copy / name) if r.cell_id not in cells]
        if left:
            write_bundle(left, copy / name)
        else:
            (copy / name).unlink()
