"""A dataset ready for use: frames with their clusters and symmetry, from a card or from a user's own file."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import Frame
from uqbench.data.catalog import card_path, dataset_names
from uqbench.data.clusters import find_clusters
from uqbench.data.files import locate
from uqbench.data.read import SUFFIXES, Keys, RawFrame, read_frames
from uqbench.data.symmetry import free_components
from uqbench.data.trajectories import trajectory_warnings
from uqbench.data.units import unit_warnings
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from uqbench.data.card import Card


@dataclass(frozen=True)
class Dataset:
    """Labelled structures to split.

    frames: the pool. elements: in alphabetical order. card: None for a user's own file. data_hash: SHA-256 over
    structures, labels, config_types and clusters. warnings: what looked odd, in words. test: indices of frames
    that a user gave as test set; empty if the split is ours.
    """

    name: str
    elements: tuple[str, ...]
    frames: tuple[Frame, ...]
    card: Card | None
    data_hash: str
    warnings: tuple[str, ...]
    test: tuple[int, ...] = ()

    @property
    def known_as(self) -> str:
        """What records call it: a card's name; a file's name with a hash of its content and test set."""
        if self.card is not None:
            return self.name
        given = hashlib.sha256(f"{self.data_hash} {self.test}".encode()).hexdigest()
        return f"{self.name}@{given[:8]}"


def load_dataset(
    name_or_path: str | Path, test_path: str | Path | None = None, keys: Keys | None = None
) -> Dataset:
    """A dataset by catalogue name, by the path of a card, or from a user's own file.

    test_path, keys: for a user's own file only: a second file that is the test set, and names of labels and clusters.
    Raises UqbenchError for a name or file that is not there or cannot be used.
    """
    text = str(name_or_path)
    # A name stands for the catalogue even where a folder or file happens to bear it.
    if text in dataset_names() or text.endswith((".yaml", ".yml")):
        if test_path is not None or keys is not None:
            raise UqbenchError(
                f'dataset "{text}": its card says which files and keys are read; '
                "a test file and keys can be given for your own file only."
            )
        path = Path(text) if text.endswith((".yaml", ".yml")) else card_path(text)
        return _from_card(path)
    if not (Path(text).exists() or text.endswith(SUFFIXES)):
        card_path(text)
    raw = read_frames(text, keys)
    test = read_frames(test_path, keys) if test_path is not None else []
    fixed = tuple(range(len(raw), len(raw) + len(test)))
    frames = raw + test
    return _dataset(Path(text).name, frames, None, [frame.cluster_label for frame in frames], fixed, ())


def reference_frames(card: Card, beside: Path) -> dict[str, list[RawFrame]]:
    """Structures behind the reference properties, by file name; they are never part of a Dataset.

    beside: the folder of the card.
    """
    paths = locate(card, beside)
    return {
        file.name: read_frames(paths[file.name], Keys(**card.keys.model_dump()))
        for file in card.files
        if file.role == "reference"
    }


def _from_card(path: Path) -> Dataset:
    from uqbench.data.card import read_card

    card = read_card(path)
    paths = locate(card, path.parent)
    keys = Keys(**card.keys.model_dump())
    raw = [
        frame
        for file in card.files
        if file.role == "pool"
        for frame in read_frames(paths[file.name], keys, card.ignore)
    ]
    for frame in raw:
        strange = set(frame.atoms.get_chemical_symbols()) - set(card.elements)
        if strange:
            raise UqbenchError(
                f"{frame.source}: holds {', '.join(sorted(strange))}, the card of {card.name} lists "
                f"{', '.join(card.elements)}. Correct elements in the card."
            )
        if frame.config_type not in card.groups:
            raise UqbenchError(
                f'{frame.source}: its config_type "{frame.config_type}" is not among groups of the card of '
                f"{card.name} ({', '.join(card.groups)}). Describe it there."
            )
    raw = _filtered(raw, card)
    warnings = []
    reference = [frame for frames in reference_frames(card, path.parent).values() for frame in frames]
    if reference:
        both = raw + reference
        clusters = find_clusters([frame.atoms for frame in both], _per_atom(both), [None] * len(both))
        taken = set(clusters[len(raw) :].tolist())
        kept = [frame for frame, cluster in zip(raw, clusters, strict=False) if cluster not in taken]
        if len(kept) < len(raw):
            warnings.append(
                f"{len(raw) - len(kept)} of {len(raw)} frames are left out: they are reference structures."
            )
        raw = kept
    labels = []
    for frame in raw:
        named = frame.config_type if frame.config_type in card.cluster_by else "*"
        key = card.cluster_by.get(named)
        value = None
        if key is not None:
            value = frame.config_type if key == card.keys.config_type else frame.info.get(key)
        labels.append(None if value is None else (named, str(value)))
    for named, key in card.cluster_by.items():
        if not any(label is not None and label[0] == named for label in labels):
            warnings.append(
                f'cluster_by has no effect on "{named}": none of these frames has "{key}". Correct the card.'
            )
    return _dataset(card.name, raw, card, labels, (), warnings)


def _filtered(raw: list[RawFrame], card: Card) -> list[RawFrame]:
    """The frames within the card's limits; one without the label in question stays."""
    energies = [np.nan if energy is None else energy for energy in _per_atom(raw)]
    highest, largest = np.inf, card.max_force or np.inf
    if card.max_energy_above_lowest is not None:
        highest = np.nanmin(energies) + card.max_energy_above_lowest
    return [
        frame
        for frame, energy in zip(raw, energies, strict=True)
        if not energy > highest and (frame.forces is None or np.abs(frame.forces).max() <= largest)
    ]


def _per_atom(raw: Sequence[RawFrame]) -> list[float | None]:
    return [None if frame.energy is None else frame.energy / len(frame.atoms) for frame in raw]


def _dataset(
    name: str,
    raw: Sequence[RawFrame],
    card: Card | None,
    labels: Sequence[Hashable | None],
    test: tuple[int, ...],
    warnings: Sequence[str],
) -> Dataset:
    clusters = find_clusters([frame.atoms for frame in raw], _per_atom(raw), labels)
    frames = []
    for frame, cluster in zip(raw, clusters, strict=True):
        free_forces, free_stress = free_components(frame.atoms)
        frames.append(
            Frame(
                frame.atoms,
                frame.energy,
                frame.forces,
                frame.stress,
                frame.config_type,
                int(cluster),
                free_forces,
                free_stress,
                frame.source,
            )
        )
    return Dataset(
        name,
        tuple(sorted({symbol for frame in raw for symbol in frame.atoms.get_chemical_symbols()})),
        tuple(frames),
        card,
        _hash(frames),
        (
            *warnings,
            *_copy_warnings(raw),
            *_leak_warnings(frames, test),
            *trajectory_warnings(raw, clusters.tolist(), labels),
            *unit_warnings(raw),
        ),
        test,
    )


def _copy_warnings(raw: Sequence[RawFrame]) -> list[str]:
    """Frames that repeat an earlier one, atom by atom."""
    first: dict[bytes, RawFrame] = {}
    copies = []
    for frame in raw:
        atoms = frame.atoms
        geometry = np.concatenate([atoms.positions.ravel(), atoms.cell.array.ravel()])
        key = atoms.numbers.tobytes() + (np.round(geometry, 6) + 0.0).tobytes() + atoms.pbc.tobytes()
        if key in first:
            copies.append((frame, first[key]))
        first.setdefault(key, frame)
    if not copies:
        return []
    frame, original = copies[0]
    return [
        f"{len(copies)} of {len(raw)} frames repeat an earlier one (the first: {frame.source}, as "
        f"{original.source}); copies share a cluster and are never split, but they weigh double in a fit."
    ]


def _leak_warnings(frames: Sequence[Frame], test: tuple[int, ...]) -> list[str]:
    """Frames beside a given test set that share a cluster with it."""
    given = {frames[i].cluster for i in test}
    leaks = [frame for frame in frames[: len(frames) - len(test)] if frame.cluster in given]
    if not leaks:
        return []
    return [
        f"{len(leaks)} frames (first: {leaks[0].source}) are too close to the test set, or have a value of the cluster "
        "key that it has too: not trained on."
    ]


def _hash(frames: Sequence[Frame]) -> str:
    digest = hashlib.sha256()
    for frame in frames:
        atoms = frame.atoms
        arrays = [
            atoms.numbers.astype(np.int64),
            atoms.positions,
            atoms.cell.array,
            atoms.pbc.astype(np.int64),
        ]
        for label in (frame.energy, frame.forces, frame.stress):
            arrays.append(np.empty(0) if label is None else np.asarray(label, dtype=np.float64))
        for array in arrays:
            digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        digest.update(f"{frame.config_type}\n{frame.cluster}\n".encode())
    return digest.hexdigest()
