"""What `uqbench compare` does, without its command-line parsing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from uqbench.atomic import write_atomically
from uqbench.compare.baseline import update_file, update_folder
from uqbench.compare.benchmarks import read_benchmarks
from uqbench.compare.comparison import Comparison, compare_files, compare_sides
from uqbench.compare.faults import no_verdict
from uqbench.compare.page import as_json, markdown
from uqbench.compare.side import Side, read_side
from uqbench.compare.sources import opened
from uqbench.errors import UqbenchError


def run_compare(
    base: str, new: str, to: Path | None, update: bool, scores_only: bool, write: Callable[[str], None]
) -> int:
    """Compare two sources, write the page, and JSON to a file where one is given.

    update: put what is new in place of base, whatever was found. scores_only: leave time and memory alone. Gives the
    exit code: 0, 1 for a regression, 2 for what could not be compared. Raises UqbenchError for sources that cannot be
    read.
    """
    if update and not Path(base).exists():
        raise UqbenchError(f"--update-baseline: {base} is no folder or file here; give one as BASE.")
    with no_verdict(f"{base} and {new} could not be compared"), opened(base) as before, opened(new) as after:
        if before.is_dir() != after.is_dir():
            raise UqbenchError(
                f"{base} and {new}: one is a folder of records, the other a file of benchmarks."
            )
        found = compare(before, after, scores_only)
        write(markdown(found, base, new))
        if to is not None:
            write_atomically(to, json.dumps(as_json(found, base, new), indent=1).encode())
        if not update:
            return found.exit_code
        write(update_folder(before, read_side(after)) if before.is_dir() else update_file(before, after))
        return 0


def compare(before: Path, after: Path, scores_only: bool) -> Comparison:
    """Compare two folders of records, or two files of benchmarks.

    Raises UqbenchError for what cannot be read, and for scores of benchmarks, which have none.
    """
    with no_verdict("the results could not be compared"):
        if before.is_dir():
            return compare_records(read_side(before), read_side(after), scores_only)
        if scores_only:
            raise UqbenchError(
                f"--scores-only: {before.name} is a file of benchmarks, and these have no scores."
            )
        return compare_files(read_benchmarks(before), read_benchmarks(after))


def compare_records(base: Side, new: Side, scores_only: bool) -> Comparison:
    """Compare records, on one thread."""
    # Imported first, for threads can be limited only in libraries that are loaded.
    import scipy.optimize  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return compare_sides(base, new, scores_only)
