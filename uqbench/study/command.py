"""The command `study linear`: run, show, write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.registry import discover
from uqbench.study.linear import all_cases, linear_trials, run_study
from uqbench.study.page import terminal_tables, write_study

if TYPE_CHECKING:
    from rich.console import Console


def run_linear_study(repeats: int, out: Path, console: Console) -> int:
    """Run the synthetic study on all cores, print its tables, write its page and figures into out; gives 0.

    Raises UqbenchError for fewer than 2 repeats.
    """
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("draws", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            if not console.is_terminal and 10 * done // total > 10 * (done - 1) // total:
                console.print(f"{done} of {total} draws")

        workers = os.cpu_count() or 1
        study = run_study(linear_trials(discover()), all_cases(), repeats, workers, progress)
    for table in terminal_tables(study):
        console.print(table)
    for (case, method), reason in study.failures.items():
        console.print(f"failed: {method}, {case.name}, {case.n} rows: {reason}", markup=False, soft_wrap=True)
    console.print(f"Study: {write_study(study, out)}", markup=False, soft_wrap=True)
    return 0
