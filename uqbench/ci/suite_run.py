"""The run of a suite in a process of its own, and why it did not run whole.

Cells that fail have records that say so, and are the comparison's to judge.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from uqbench.compare.side import Side, read_side
from uqbench.errors import UqbenchError


def run_suite(suite: str, out: Path, options: Sequence[str]) -> str:
    """Run a suite into a folder of results; why it did not run whole, empty if it did.

    options: more options of `uqbench run`.
    """
    command = [sys.executable, "-m", "uqbench", "run", "--suite", suite, "--out", str(out), *options]
    # A run writes it after its records, and that of another run must not pass for it.
    last = out / "suite.yaml"
    last.unlink(missing_ok=True)
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    print(done.stderr, end="", file=sys.stderr, flush=True)
    if done.returncode not in (0, 1) or not last.is_file():
        return _complaint(done)
    if done.returncode == 0:
        return ""
    # Cells failed, or a dataset cannot be used, and only a quiet run says the latter alone.
    plan = [*command, "--dry-run", "--quiet"]
    planned = subprocess.run(plan, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if planned.returncode:
        return planned.stderr.strip().removeprefix("uqbench: ")
    side = side_of(out)
    failed = side is not None and any(e.record.status == "failed" for e in side.entries.values())
    return "" if failed else _complaint(done)


def side_of(out: Path) -> Side | None:
    """The records in a folder of results; None where there are none."""
    try:
        return read_side(out / "records")
    except UqbenchError:
        return None


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The error that ended a run, all lines of it; else the last line that it said."""
    lines = done.stderr.strip().splitlines()
    errors = [i for i, line in enumerate(lines) if line.startswith("uqbench: ")]
    if errors:
        return "\n".join(lines[errors[-1] :]).removeprefix("uqbench: ")
    return lines[-1] if lines else f"uqbench run ended with exit code {done.returncode} and did not say why."
