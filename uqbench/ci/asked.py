"""Which cells a suite asks for: one of them that is gone was dropped by the run, and not by who wrote the suite."""

from __future__ import annotations

from pathlib import Path

from uqbench.compare.pairing import CONTENT
from uqbench.data.card import read_card
from uqbench.errors import UqbenchError
from uqbench.registry import Group, Registry
from uqbench.spec import parse_spec
from uqbench.suite.config import Suite
from uqbench.suite.record import CellPart


def asks_for(suite: Suite, cell: CellPart, registry: Registry) -> bool:
    """Whether a suite asks for a cell. A list that it leaves open asks for everything.

    Backbones are compared by name alone, for cards suggest their parameters.
    """
    backbones = {_name(b if isinstance(b, str) else next(iter(b))) for b in suite.backbones or ()}
    return (
        CONTENT.sub("", cell.dataset) in {_known_as(name) for name in suite.datasets}
        and (suite.backbones is None or _name(cell.backbone) in backbones)
        and (suite.methods is None or cell.method in _spelt(suite.methods, registry, "methods"))
        and (suite.tasks is None or cell.task in _spelt(suite.tasks, registry, "tasks"))
        and cell.seed in suite.seeds
        and cell.train_size in suite.train_sizes
        and (suite.devices is None or cell.device in suite.devices)
    )


def _name(text: str) -> str:
    return text.partition(":")[0]


def _known_as(dataset: str) -> str:
    """As records call it, without the hash of a file's content; a card that is gone too by its file's name."""
    if dataset.endswith((".yaml", ".yml")):
        try:
            return read_card(Path(dataset)).name
        except UqbenchError:
            return Path(dataset).stem
    return Path(dataset).name


def _spelt(names: tuple[str, ...], registry: Registry, group: Group) -> set[str]:
    """As records spell them; a plugin that is not loaded here as the suite does."""
    found = set()
    for name in names:
        try:
            found.add(str(parse_spec(name, registry, group)))
        except UqbenchError:
            found.add(name)
    return found
