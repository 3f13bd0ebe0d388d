"""What `uqbench data list | fetch | check | path` do, without their command-line parsing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.data.catalog import card_path, dataset_names
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from uqbench.data.read import Keys

Print = Callable[[str], None]


def list_datasets(write: Print) -> int:
    """Name, elements, description, and where the files are or what is amiss. Returns the number of broken cards."""
    from uqbench.data.card import read_card
    from uqbench.data.files import locate

    broken = 0
    for name in dataset_names():
        try:
            path = card_path(name)
            card = read_card(path)
        except UqbenchError as error:
            broken += 1
            write(f"{name:<16} broken: {error}")
            continue
        try:
            where = f"in {next(iter(locate(card, path.parent).values())).parent}"
        except UqbenchError as error:
            where = str(error)
        write(f"{name:<16} {' '.join(card.elements):<10} {card.description}\n{'':<27} {where}")
    return broken


def fetch_datasets(names: Sequence[str], write: Print) -> None:
    """Download what is missing, with a progress bar, and check all. Raises UqbenchError."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from uqbench.data.card import read_card
    from uqbench.data.files import fetch

    for name in names:
        path = card_path(name)
        with Progress("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task(name, total=None)
            paths = fetch(
                read_card(path),
                path.parent,
                lambda done, size, task=task, bar=bar: bar.update(task, completed=done, total=size),
            )
        for file in paths.values():
            write(f"{name}: {file}")


def check_datasets(names: Sequence[str], write: Print, keys: Keys | None = None) -> int:
    """Verify hashes, read everything with all checks, print a summary. Names, cards or files of your own.

    keys: names of labels and clusters in files of your own. Returns how many failed; their errors are printed.
    """
    from uqbench.data.dataset import load_dataset
    from uqbench.data.describe import describe
    from uqbench.data.references import check_references
    from uqbench.registry import discover

    tasks = discover().tasks
    failed = 0
    for name in names:
        try:
            dataset = load_dataset(name, keys=keys)
            write("\n".join([describe(dataset), *check_references(dataset, tasks)]))
        except UqbenchError as error:
            failed += 1
            write(f"{name}: FAILED: {error}")
    return failed


def print_paths(names: Sequence[str], write: Print) -> None:
    """Local paths of the files of datasets, one a line. Raises UqbenchError if one is missing."""
    from uqbench.data.card import read_card
    from uqbench.data.files import locate

    for name in names:
        path: Path = card_path(name)
        for file in locate(read_card(path), path.parent).values():
            write(str(file))
