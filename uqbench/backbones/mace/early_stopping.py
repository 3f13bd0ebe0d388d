"""Which of the training frames are kept aside to decide when to stop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from numpy.random import Generator

from uqbench.api import Frame
from uqbench.errors import UqbenchError

SHARE = 0.1
"""Of the frames, in whole clusters."""


def carve_validation(frames: Sequence[Frame], rng: Generator) -> tuple[list[int], list[int]]:
    """Indices of frames to learn from and of frames to validate on, ascending; no cluster is in both.

    What is left to learn from holds every element. Raises UqbenchError if no cluster can be spared.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for i, frame in enumerate(frames):
        members[frame.cluster].append(i)
    holders: dict[str, set[int]] = defaultdict(set)
    for i, frame in enumerate(frames):
        for element in frame.atoms.get_chemical_symbols():
            holders[element].add(frames[i].cluster)
    clusters = sorted(members)
    validation: list[int] = []
    for k in rng.permutation(len(clusters)):
        cluster = clusters[int(k)]
        size = len(validation) + len(members[cluster])
        if len(validation) >= SHARE * len(frames) or size > len(frames) / 2:
            continue
        if any(held == {cluster} for held in holders.values()):
            continue
        validation += members[cluster]
        for held in holders.values():
            held.discard(cluster)
    if not validation:
        raise UqbenchError(
            f"{len(frames)} training frames in {len(members)} clusters: none can be kept aside to decide when "
            "training stops (at most half of the frames, and every element must stay). Add frames."
        )
    aside = set(validation)
    return [i for i in range(len(frames)) if i not in aside], sorted(validation)
