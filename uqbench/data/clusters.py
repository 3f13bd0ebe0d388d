"""Clusters: frames too alike to be split between train and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array
from uqbench.data.neighbours import nearest_distances

if TYPE_CHECKING:
    from ase import Atoms

NEIGHBOURS = 24
"""Enough to tell fcc from hcp, which share their first 18 distances."""

QUANTILES = 8
"""A power of two, so that a structure and its supercells pick the same atoms."""

CUTOFF = 6.0
"""Å; distances beyond it are not compared."""

SAME_DISTANCE = 2e-3
"""Å; largest difference of any compared distance between near-duplicates."""

SAME_ENERGY = 1e-3
"""eV/atom; above what sound calculations of one structure in different cells differ by."""

COPY = 1e-6
"""Å; fingerprints this close are of one structure, whatever the energies say."""


def find_clusters(
    structures: Sequence[Atoms], energies: Sequence[float | None], labels: Sequence[Hashable | None]
) -> NDArray[np.int64]:
    """(n,) running cluster numbers in order of first appearance.

    structures: n structures. energies: eV per atom, or None. labels: frames with the same label belong together
    whatever their geometry (a trajectory); None is no label.

    Two frames are near-duplicates if they have the same composition, their fingerprints differ by no more than
    SAME_DISTANCE, and their energies per atom, where both are known, by no more than SAME_ENERGY (copies: if the
    fingerprints agree to COPY). Being so is extended to chains. The fingerprint does not change under
    translation, rotation, reflection, permutation of equal atoms, choice of the cell or repetition of it.
    """
    parent = list(range(len(structures)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def unite(i: int, j: int) -> None:
        a, b = sorted((root(i), root(j)))
        parent[b] = a

    first: dict[Hashable, int] = {}
    for i, label in enumerate(labels):
        if label is not None:
            unite(first.setdefault(label, i), i)
    per_atom = np.array([np.nan if energy is None else energy for energy in energies])
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for i, atoms in enumerate(structures):
        alike[_composition(atoms)].append(i)
    for members in alike.values():
        if len(members) > 1:
            index = np.array(members)
            prints = np.stack([fingerprint(structures[i]) for i in members])
            for i, j in _near(prints, per_atom[index]):
                unite(members[i], members[j])
    roots = [root(i) for i in range(len(structures))]
    numbers = {r: n for n, r in enumerate(dict.fromkeys(roots))}
    return np.array([numbers[r] for r in roots], dtype=np.int64)


def fingerprint(atoms: Atoms) -> Array:
    """(n_elements * QUANTILES * NEIGHBOURS,) distances in Å that describe a structure up to symmetry.

    For each element and each k, quantiles over its atoms of the distance to the k-th nearest neighbour. Order
    statistics of order statistics: no entry changes by more than twice the largest displacement of an atom.
    """
    distances = nearest_distances(atoms, NEIGHBOURS, CUTOFF)
    parts = []
    for element in np.unique(atoms.numbers):
        columns = np.sort(distances[atoms.numbers == element], axis=0)
        pick = (2 * np.arange(QUANTILES) + 1) * len(columns) // (2 * QUANTILES)
        parts.append(columns[pick].ravel())
    return np.concatenate(parts)


def _composition(atoms: Atoms) -> tuple[tuple[int, int], ...]:
    """Element and number in the reduced formula; equal for a structure and its supercells."""
    elements, counts = np.unique(atoms.numbers, return_counts=True)
    divisor = int(np.gcd.reduce(counts)) if atoms.pbc.any() else 1
    return tuple((int(z), int(n) // divisor) for z, n in zip(elements, counts, strict=True))


def _near(prints: Array, energies: Array) -> Iterator[tuple[int, int]]:
    """Pairs of near-duplicates that link every chain of them.

    Sorted by their mean, which differs by no more than the entries do, each print is compared only with those
    within the tolerance on that line that no chain has reached yet: a heap of copies costs one pass.
    """
    mean = prints.mean(axis=1)
    order = np.argsort(mean, kind="stable")
    prints, energies, mean = prints[order], energies[order], mean[order]
    starts = np.searchsorted(mean, mean - SAME_DISTANCE - COPY)
    ends = np.searchsorted(mean, mean + SAME_DISTANCE + COPY, side="right")
    unreached = np.ones(len(order), dtype=bool)
    for first in range(len(order)):
        chain = [first] if unreached[first] else []
        unreached[first] = False
        while chain:
            i = chain.pop()
            others = starts[i] + np.flatnonzero(unreached[starts[i] : ends[i]])
            difference = np.abs(prints[others] - prints[i]).max(axis=1, initial=0.0)
            apart = np.abs(energies[others] - energies[i]) > SAME_ENERGY
            found = others[(difference <= COPY) | (difference <= SAME_DISTANCE) & ~apart]
            unreached[found] = False
            chain.extend(found.tolist())
            yield from ((int(order[i]), int(order[j])) for j in found)
