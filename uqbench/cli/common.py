"""What several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from uqbench.data.read import Keys


def console() -> Console:
    """Where people read: no guessing of what is a number or an emoji."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def keys(options: argparse.Namespace) -> Keys | None:
    """Names of labels and clusters as given; None if none is."""
    from uqbench.data.read import Keys

    names = ("energy", "forces", "stress", "virial", "config_type", "cluster")
    given = {k: v for k in names if (v := getattr(options, f"{k}_key")) is not None}
    return Keys(**given) if given else None
