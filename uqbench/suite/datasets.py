"""Names of datasets in a suite: those of the catalogue, paths, and materials of the analytic family."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from uqbench.data.dataset import Dataset, load_dataset
from uqbench.data.read import Keys
from uqbench.errors import UqbenchError

MATERIAL = re.compile(r"analytic_(\d{3})")
RANGE = re.compile(r"analytic_(\d{3})-(\d{3})")


def expanded(name: str) -> tuple[str, ...]:
    """The datasets that a name stands for: analytic_000-029 is thirty of them.

    Raises UqbenchError for a range that runs backwards.
    """
    found = RANGE.fullmatch(name)
    if found is None:
        return (name,)
    first, last = (int(number) for number in found.groups())
    if last < first:
        raise UqbenchError(f"dataset range {name!r} is empty; write the smaller number first.")
    return tuple(f"analytic_{number:03d}" for number in range(first, last + 1))


def card_or_name(name: str, cache: Path, say: Callable[[str], None] | None = None) -> str:
    """The path of a material's card, made in the cache if it is not there yet; any other name as it is.

    say: told what is being made, which takes seconds.
    """
    found = MATERIAL.fullmatch(name)
    if found is None:
        return name
    from uqbench.analytic import generate

    sources = sorted(Path(generate.__file__).parent.glob("*.py"))
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = cache / f"analytic-{version}" / name
    if say is not None and not folder.exists():
        say(f"making the configurations and exact properties of {name}")
    return str(generate.write_material(int(found[1]), folder))


def load(name: str, cache: Path, test_path: Path | None = None, keys: Keys | None = None) -> Dataset:
    """A dataset by any name that a suite may give; see uqbench.data.dataset.load_dataset."""
    return load_dataset(card_or_name(name, cache), test_path, keys)
