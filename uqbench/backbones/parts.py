"""Design rows of a dataset in parts, each computed by another worker, and put together into one block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api.backbone import LinearBackbone
from uqbench.api.prediction import Array
from uqbench.backbones.store import Store, StoredRows, remove_rows, stored_rows

if TYPE_CHECKING:
    from ase import Atoms

Part = tuple[int, int]
"""Structures from the first number up to the second."""


def parts_of(structures: Sequence[Atoms], n: int) -> tuple[Part, ...]:
    """At most n parts of about as many atoms each, none empty; none at all where there would be only one."""
    atoms = np.cumsum([0, *map(len, structures)])
    ends = np.unique(np.searchsorted(atoms, np.linspace(0, atoms[-1], n + 1))).tolist()
    return tuple(pairwise(ends)) if len(ends) > 2 else ()


def store_part(
    backbone: LinearBackbone,
    structures: Sequence[Atoms],
    elements: tuple[str, ...],
    cache_dir: Path,
    part: Part,
    store: Store | None = None,
) -> StoredRows:
    """Rows of a part of the structures, as stored_rows gives and keeps those of all."""
    first, last = part
    return stored_rows(backbone, structures[first:last], elements, cache_dir, store=store, first=first)


def join_parts(
    backbone: LinearBackbone,
    structures: Sequence[Atoms],
    elements: tuple[str, ...],
    cache_dir: Path,
    parts: Sequence[Part],
    progress: Callable[[int, int], None] | None = None,
    store: Store | None = None,
) -> StoredRows:
    """What stored_rows gives, made of parts, which are removed then; one that is missing or damaged is computed.

    parts: as parts_of gives them. One is memory-mapped while it is copied, so that memory does not grow with them.
    """
    keys: list[str] = []

    def made() -> Iterator[tuple[Array, float]]:
        for part in parts:
            stored = store_part(backbone, structures, elements, cache_dir, part, store)
            keys.append(stored.key)
            yield from zip(map(stored.rows, range(len(stored))), stored.structure_seconds, strict=True)

    whole = stored_rows(
        backbone, structures, elements, cache_dir, progress=progress, store=store, made=made()
    )
    for key in keys:
        remove_rows(cache_dir, key, store)
    return whole
