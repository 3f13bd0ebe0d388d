"""The datasets there are, and their cards; pydantic is imported only when a card is read."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from uqbench.data.card import Card

GROUP = "uqbench.datasets"
"""Entry points of this group name a path to a card, or a function without arguments that gives one."""

_HERE = Path(__file__).parent


def dataset_names() -> list[str]:
    """Names of all datasets: embedded, published, and those of installed packages."""
    return sorted({*_built_in(), *entry_points(group=GROUP).names})


def card_path(name: str) -> Path:
    """Where the card of a dataset lies. Raises UqbenchError for an unknown name, with what is close to it."""
    built_in = _built_in()
    if name in built_in:
        return built_in[name]
    for point in entry_points(group=GROUP, name=name):
        try:
            # Somebody else's code: whatever it raises is the reason that the dataset is broken.
            target = point.load()
            return Path(str(target() if callable(target) else target))
        except Exception as error:
            raise UqbenchError(
                f'dataset "{name}": its entry point {point.value} fails: {type(error).__name__}: {error}.'
            ) from error
    names = dataset_names()
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names)}."
    raise UqbenchError(
        f'there is no dataset "{name}", nor a file of that name. {hint} '
        "A path to an extended XYZ file or to a card is read as well."
    )


def load_card(name: str) -> Card:
    """The card of a dataset by name. Raises UqbenchError."""
    from uqbench.data.card import read_card

    return read_card(card_path(name))


def _built_in() -> dict[str, Path]:
    embedded = {path.parent.name: path for path in _HERE.glob("embedded/*/card.yaml")}
    return {**embedded, **{path.stem: path for path in _HERE.glob("published/*.yaml")}}
