"""Design rows kept on disk by content: computed once, in parallel, then memory-mapped.

A block is a file of float64 rows and, beside it, a JSON header; the header is written last, so a block without
one does not exist. Its name is a hash of the structures, the elements, the backbone with its parameters and
sources, and the versions of the packages it names in a class attribute `distributions`.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from uqbench.api.backbone import LinearBackbone
from uqbench.api.prediction import Array
from uqbench.backbones.row_workers import computed_rows
from uqbench.errors import UqbenchError, UqbenchWarning

if TYPE_CHECKING:
    from ase import Atoms

FORMAT = 1
"""Raised when the layout of blocks or headers changes."""


class Store(Protocol):
    """Where several machines keep files by name (uqbench.cluster.store); a name is made of words between slashes.

    What is put is there whole or not at all. Methods raise UqbenchError where the store cannot be reached.
    """

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Names that begin with a prefix, which ends in a slash."""
        ...

    def get(self, name: str) -> bytes | None:
        """A file's content; None if it is not there."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Write a file, over an older one of that name."""
        ...

    def fetch(self, name: str, path: Path) -> bool:
        """Copy a file to a path of this machine; False if it is not there."""
        ...

    def send(self, path: Path, name: str) -> None:
        """Copy a file of this machine to a name, over an older one."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...


@dataclass(frozen=True)
class StoredRows:
    """Rows of a list of structures, read-only, as LinearBackbone.rows gives them.

    table: (n_rows, n_features) all rows, memory-mapped. offsets: (n_structures + 1,), structure i has rows
    offsets[i] to offsets[i + 1]. structure_seconds: (n_structures,) CPU seconds when they were computed.
    computed: False if they were found on disk. index: content hash to structure. key: name of their files.
    """

    table: Array
    offsets: NDArray[np.int64]
    structure_seconds: Array
    computed: bool
    index: dict[str, int]
    key: str

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_features(self) -> int:
        """Number of columns P."""
        return self.table.shape[1]

    @property
    def seconds(self) -> float:
        """CPU seconds that computing took originally, summed over workers."""
        return float(self.structure_seconds.sum())

    def rows(self, i: int) -> Array:
        """Rows of structure i, a read-only view (1 + 3N [+ 6], P). Raises IndexError out of range."""
        if not 0 <= i < len(self):
            raise IndexError(f"structure {i} of {len(self)}")
        return self.table[self.offsets[i] : self.offsets[i + 1]]

    def lookup(self, atoms: Atoms) -> Array | None:
        """Rows of a structure with the same elements, positions, cell and periodicity; None if not here."""
        i = self.index.get(content_hash(atoms))
        return None if i is None else self.rows(i)


def content_hash(atoms: Atoms) -> str:
    """SHA-256 of atomic numbers, positions, cell and periodicity, exact to the last bit."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(atoms.numbers, dtype=np.int64).tobytes())
    for values in (atoms.positions, atoms.cell.array):
        # Adding zero makes -0.0 the same as 0.0.
        digest.update(np.ascontiguousarray(values + 0.0, dtype=np.float64).tobytes())
    digest.update(np.ascontiguousarray(atoms.pbc, dtype=np.uint8).tobytes())
    return digest.hexdigest()


def stored_rows(
    backbone: LinearBackbone,
    structures: Sequence[Atoms],
    elements: tuple[str, ...],
    cache_dir: str | Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    store: Store | None = None,
    first: int = 0,
    made: Iterator[tuple[Array, float]] | None = None,
) -> StoredRows:
    """Rows of structures from cache_dir, computed first if they are not there.

    store: where other machines keep theirs; asked before rows are computed, and given those that it lacks. first:
    number of the first structure, for errors. made: rows and CPU seconds of each structure, in place of computing.
    workers: processes to compute with (started by spawn: a script that calls this needs the usual
    `if __name__ == "__main__"`). progress: called with (structures done, structures in all). A second process
    that asks for the same rows waits for the first. A damaged block is computed anew, with a warning.
    Raises UqbenchError naming the structure that a backbone fails on.
    """
    if workers < 1:
        raise UqbenchError(f"workers is {workers}; at least one process is needed.")
    folder = Path(cache_dir)
    folder.mkdir(parents=True, exist_ok=True)
    hashes = [content_hash(atoms) for atoms in structures]
    identity = _identity(backbone, elements)
    key = hashlib.sha256(json.dumps([identity, hashes]).encode()).hexdigest()[:32]
    with locked(folder / f"{key}.lock"):
        files = _files(folder, key)
        stored = _open(folder, key, hashes, computed=False)
        if stored is None and store is not None and fetch_files(store, files):
            stored = _open(folder, key, hashes, computed=False)
        if stored is None:
            arrays = made or computed_rows(backbone, structures, elements, workers, first)
            _write(folder, key, identity, hashes, backbone.n_features(elements), arrays, progress)
            stored = _open(folder, key, hashes, computed=True)
        if stored is None:
            raise UqbenchError(f"{folder}: rows just written read back differently; check the disk.")
        if store is not None:
            send_files(store, files, again=stored.computed)
    return stored


def remove_rows(cache_dir: Path, key: str, store: Store | None) -> None:
    """Remove rows from the cache, and from the store; who has them open keeps them."""
    for file in reversed(_files(cache_dir, key)):
        file.unlink(missing_ok=True)
        if store is not None:
            with suppress(UqbenchError):
                store.remove(_name(file))


def fetch_files(store: Store, files: Sequence[Path]) -> bool:
    """Copy files that belong together from the store, the one that makes them count last; whether all were there.

    A store that cannot be reached is a warning: what it would have saved is done here.
    """
    try:
        return all(store.fetch(_name(file), file) for file in files)
    except UqbenchError as error:
        warnings.warn(f"{error} Going on without it.", stacklevel=3)
        return False


def send_files(store: Store, files: Sequence[Path], again: bool) -> None:
    """Copy files that belong together to the store, the one that makes them count last.

    again: even if they are there, since they were just made. A store that cannot be reached is a warning.
    """
    try:
        if again or not store.exists(_name(files[-1])):
            for file in files:
                store.send(file, _name(file))
    except UqbenchError as error:
        warnings.warn(f"{error} Other machines will do this again.", stacklevel=3)


def _files(folder: Path, key: str) -> list[Path]:
    """Of a block; the one that makes it count last."""
    return [folder / f"{key}{suffix}" for suffix in (".rows", ".json")]


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _identity(backbone: LinearBackbone, elements: tuple[str, ...]) -> dict[str, object]:
    """All but the structures that decides what the rows are."""
    import inspect
    from importlib import metadata

    kind = type(backbone)
    files = {Path(inspect.getfile(kind)), *Path(__file__).parent.glob("*.py")}
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files)))
    try:
        versions = {name: metadata.version(name) for name in ("numpy", *kind.distributions)}
    except metadata.PackageNotFoundError as error:
        raise UqbenchError(f"{kind.__name__} needs {error.name}, which is not installed.") from error
    return {
        "format": FORMAT,
        "backbone": f"{kind.__module__}.{backbone!r}",
        "elements": list(elements),
        "sources": sources.hexdigest(),
        "versions": versions,
    }


def _open(folder: Path, key: str, hashes: list[str], computed: bool) -> StoredRows | None:
    """The block if it is there and whole; None, with a warning if it is damaged, otherwise."""
    data_file, header_file = _files(folder, key)
    if not header_file.exists():
        return None
    try:
        header = json.loads(header_file.read_text())
        with data_file.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if checksum != header["sha256"]:
            raise UqbenchError("its checksum is wrong")
        offsets = np.asarray(header["offsets"], dtype=np.int64)
        shape = (int(offsets[-1]), int(header["n_features"]))
        if shape[0]:
            table = np.asarray(np.memmap(data_file, dtype=np.float64, mode="r", shape=shape))
        else:
            table = np.zeros(shape)
        seconds = np.asarray(header["seconds"], dtype=np.float64)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        told = f"{data_file}: stored rows are damaged ({error}); computing them again."
        warnings.warn(told, UqbenchWarning, stacklevel=3)
        return None
    index = {name: i for i, name in enumerate(hashes)}
    return StoredRows(table, offsets, seconds, computed, index, key)


def _write(
    folder: Path,
    key: str,
    identity: dict[str, object],
    hashes: list[str],
    n_features: int,
    arrays: Iterator[tuple[Array, float]],
    progress: Callable[[int, int], None] | None,
) -> None:
    offsets, seconds, digest = [0], [], hashlib.sha256()
    data_file, header_file = _files(folder, key)
    with _replacing(data_file) as write:
        for rows, cpu in arrays:
            block = rows.tobytes()
            digest.update(block)
            write(block)
            offsets.append(offsets[-1] + len(rows))
            seconds.append(cpu)
            if progress is not None:
                progress(len(seconds), len(hashes))
    header = {
        **identity,
        "n_features": n_features,
        "offsets": offsets,
        "seconds": seconds,
        "sha256": digest.hexdigest(),
    }
    with _replacing(header_file) as write:
        write(json.dumps(header).encode())


@contextmanager
def _replacing(path: Path) -> Iterator[Callable[[bytes], int]]:
    """Write to a file beside it, and put it in its place once all is on disk."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the system lets go of it when the process ends, however that happens."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
