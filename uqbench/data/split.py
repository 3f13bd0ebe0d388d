"""Splits by cluster: no two frames of one cluster stand on different sides."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uqbench.api import Frame
from uqbench.data.dataset import Dataset
from uqbench.errors import UqbenchError

LARGE = 500
"""Frames from which one holdout is made; below, cluster cross-validation."""

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Indices into Dataset.frames, ascending.

    held_out: frames of config_types that no fold trains or calibrates on, predicted in this one.
    """

    train: Index
    calibration: Index
    test: Index
    held_out: Index


@dataclass(frozen=True)
class Split:
    """scheme: "holdout", "3-fold", "given test"; hash: SHA-256 over scheme and membership."""

    folds: tuple[Fold, ...]
    scheme: str
    hash: str


def make_split(
    dataset: Dataset,
    seed: int = 0,
    train_size: float = 1.0,
    held_out: Sequence[str] | None = None,
    n_folds: int = 3,
) -> Split:
    """Train | calibration | test, by cluster, stratified over config_type, the same for the same seed.

    From LARGE frames on 60/20/20; below, n_folds folds, each with its share as test and a fifth of the rest as
    calibration; with a given test set, that and 80/20. train_size in (0, 1] keeps a part of each training set,
    by cluster: for one seed the smaller are within the larger. held_out: config_types, instead of the card's.

    Where that leaves a part empty, as where each config_type is one trajectory, the part is dealt without strata.

    Raises UqbenchError for an empty part or an element without an example in train.
    """
    frames = dataset.frames
    if not 0.0 < train_size <= 1.0:
        raise UqbenchError(f"train_size is {train_size:g}; a share in (0, 1] is needed.")
    if n_folds < 2:
        raise UqbenchError(f"n_folds is {n_folds}; at least 2 are needed.")
    if held_out is None:
        held_out = dataset.card.held_out if dataset.card is not None else ()
    types = {frame.config_type for frame in frames}
    for name in held_out:
        if name not in types:
            raise UqbenchError(
                f'{dataset.name}: held_out names the config_type "{name}"; there are {", ".join(sorted(types))}.'
            )
    rng = np.random.default_rng(seed)
    clusters = _Clusters(frames)
    given = {frames[i].cluster for i in dataset.test}
    outside = {frame.cluster for frame in frames if frame.config_type in held_out} - given
    # What shares a cluster with a held-out frame is neither trained on nor counted as out of distribution.
    foreign = np.array([frame.config_type in held_out for frame in frames])
    inside = [c for c in clusters.members if c not in outside and c not in given]
    if given:
        scheme = "given test"
        train, calibration = clusters.share(inside, {0: 0.8, 1: 0.2}, rng)
        parts = [(train, calibration, sorted(given), sorted(outside))]
    elif len(frames) >= LARGE:
        scheme = "holdout"
        train, calibration, test = clusters.share(inside, {0: 0.6, 1: 0.2, 2: 0.2}, rng)
        parts = [(train, calibration, test, sorted(outside))]
    else:
        scheme = f"{n_folds}-fold"
        even = dict.fromkeys(range(n_folds), 1.0 / n_folds)
        tests, away = clusters.share(inside, even, rng), clusters.deal(sorted(outside), even, rng)
        parts = []
        for k in range(n_folds):
            rest = [c for j in range(n_folds) if j != k for c in tests[j]]
            train, calibration = clusters.share(rest, {0: 0.8, 1: 0.2}, rng)
            parts.append((train, calibration, tests[k], away[k]))
    folds = []
    for train, calibration, test, away_here in parts:
        kept = clusters.first(train, train_size, rng)
        fold = Fold(*(clusters.frames_of(part) for part in (kept, calibration, test, away_here)))
        fold = replace(fold, held_out=fold.held_out[foreign[fold.held_out]])
        if given:
            # A frame of the other file in a cluster of the test set is dropped, not moved.
            fold = Fold(fold.train, fold.calibration, np.array(dataset.test, dtype=np.int64), fold.held_out)
        _check(dataset, fold, scheme)
        folds.append(fold)
    return Split(tuple(folds), scheme, _hash(scheme, folds))


class _Clusters:
    """Clusters with their frames and the config_type that most of these have."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        members: dict[int, list[int]] = defaultdict(list)
        for i, frame in enumerate(frames):
            members[frame.cluster].append(i)
        self.members = dict(members)
        self._type = {
            c: Counter(frames[i].config_type for i in index).most_common(1)[0][0]
            for c, index in members.items()
        }

    def frames_of(self, clusters: Sequence[int]) -> Index:
        return np.array(sorted(i for c in clusters for i in self.members[c]), dtype=np.int64)

    def share(self, clusters: Sequence[int], shares: Mapping[int, float], rng: Generator) -> list[list[int]]:
        """As deal, but without types should that leave a part empty; then each gets a cluster if there are enough."""
        parts = self.deal(clusters, shares, rng)
        if all(parts):
            return parts
        # A stream of its own: splits that need none of this stay what they were.
        mixed = rng.spawn(1)[0].permutation(clusters).tolist()
        parts = self._spread([mixed], shares)
        for part in parts:
            fullest = max(parts, key=len)
            if not part and len(fullest) > 1:
                part.append(fullest.pop())
        return parts

    def deal(self, clusters: Sequence[int], shares: Mapping[int, float], rng: Generator) -> list[list[int]]:
        """Spread clusters over parts so that each has its share of the frames of every type and of all."""
        return self._spread(self._by_type(clusters, rng).values(), shares)

    def _spread(self, strata: Collection[list[int]], shares: Mapping[int, float]) -> list[list[int]]:
        """Stratum by stratum, large clusters first, each goes where most frames of it are lacking, then most of all."""
        parts: list[list[int]] = [[] for _ in shares]
        lacking = {
            part: share * sum(len(self.members[c]) for stratum in strata for c in stratum)
            for part, share in shares.items()
        }
        for members in strata:
            members.sort(key=lambda c: -len(self.members[c]))
            total = sum(len(self.members[c]) for c in members)
            here = {part: share * total for part, share in shares.items()}
            for c in members:
                part = max(here, key=lambda k: (round(here[k], 9), lacking[k]))
                parts[part].append(c)
                here[part] -= len(self.members[c])
                lacking[part] -= len(self.members[c])
        return parts

    def first(self, clusters: Sequence[int], share: float, rng: Generator) -> list[int]:
        """The first clusters, in an order that mixes the types evenly, that hold a share of the frames."""
        place = {
            c: (rank + 0.5) / len(members)
            for members in self._by_type(clusters, rng).values()
            for rank, c in enumerate(members)
        }
        wanted = share * sum(len(self.members[c]) for c in clusters)
        kept, n = [], 0
        for c in sorted(place, key=lambda c: (place[c], c)):
            if n >= wanted - 1e-9:
                break
            kept.append(c)
            n += len(self.members[c])
        return kept

    def _by_type(self, clusters: Sequence[int], rng: Generator) -> dict[str, list[int]]:
        """Shuffled clusters of each type."""
        types: dict[str, list[int]] = defaultdict(list)
        for i in rng.permutation(len(clusters)):
            types[self._type[clusters[int(i)]]].append(clusters[int(i)])
        return {name: types[name] for name in sorted(types)}


def _check(dataset: Dataset, fold: Fold, scheme: str) -> None:
    sizes = {name: len(getattr(fold, name)) for name in ("train", "calibration", "test")}
    for name, size in sizes.items():
        if size == 0:
            raise UqbenchError(
                f"{dataset.name}: the {name} part of the {scheme} split is empty ({len(dataset.frames)} frames in "
                f"{len({frame.cluster for frame in dataset.frames})} clusters, {len(fold.held_out)} frames held "
                "out). More clusters are needed, fewer held-out config_types, or a test file of your own."
            )
    known: set[str] = set()
    for i in fold.train:
        known.update(dataset.frames[i].atoms.get_chemical_symbols())
        if len(known) == len(dataset.elements):
            return
    for name in ("calibration", "test", "held_out"):
        for i in getattr(fold, name):
            missing = sorted(set(dataset.frames[i].atoms.get_chemical_symbols()) - known)
            if missing:
                raise UqbenchError(
                    f"{dataset.frames[i].source}: {missing[0]} is in the {name} part and has no example in "
                    f"train ({len(fold.train)} frames of {', '.join(sorted(known))}). Add frames with "
                    f"{missing[0]}, leave out those that have it, or use a larger train_size."
                )


def _hash(scheme: str, folds: Sequence[Fold]) -> str:
    digest = hashlib.sha256(scheme.encode())
    for fold in folds:
        for name in ("train", "calibration", "test", "held_out"):
            index = getattr(fold, name)
            digest.update(f"{name} {len(index)} ".encode() + index.astype("<i8").tobytes())
    return digest.hexdigest()
