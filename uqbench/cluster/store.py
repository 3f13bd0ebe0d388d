"""A store of files by name that several machines reach: a folder, an object store, anything fsspec speaks to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from uqbench.errors import UqbenchError

T = TypeVar("T")

WAITS = (0.1, 0.5, 2.0)
"""Seconds before a request that failed is made again."""
WHOLE_PUTS = {"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
"""Protocols whose files appear once they are whole; elsewhere a file is written beside its place and moved."""


@dataclass(frozen=True)
class FsspecStore:
    """A Store (uqbench.backbones.store) at a URL: a folder, or PROTOCOL://PLACE, credentials from the environment.

    A request that fails is made again three times, then raises UqbenchError.
    """

    url: str

    def __reduce__(self) -> tuple[Any, ...]:
        # A connection stays with its process.
        return FsspecStore, (self.url,)

    @property
    def shown(self) -> str:
        """The URL for people, without a user's name, password or token in it."""
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2] + parts.path
        return f"{parts.scheme}://{place}" if parts.scheme else place

    def exists(self, name: str) -> bool:
        """See Store."""
        return self._patiently(lambda fs, root: bool(fs.exists(f"{root}/{name}")))

    def list(self, prefix: str) -> list[str]:
        """See Store."""

        def find(fs: Any, root: str) -> list[str]:
            found = fs.find(f"{root}/{prefix.rstrip('/')}")
            # Listings differ in whether they begin with a slash.
            names = [path.lstrip("/").removeprefix(f"{root}/".lstrip("/")) for path in found]
            return sorted(name for name in names if not name.endswith(".partial"))

        return self._patiently(find)

    def get(self, name: str) -> bytes | None:
        """See Store."""
        try:
            return self._patiently(lambda fs, root: fs.cat_file(f"{root}/{name}"))
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """See Store."""
        self._write(name, lambda fs, path: fs.pipe_file(path, content))

    def fetch(self, name: str, path: Path) -> bool:
        """See Store."""
        partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
        try:
            self._patiently(lambda fs, root: fs.get_file(f"{root}/{name}", str(partial)))
            partial.replace(path)
        except FileNotFoundError:
            return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    def send(self, path: Path, name: str) -> None:
        """See Store."""
        self._write(name, lambda fs, place: fs.put_file(str(path), place))

    def remove(self, name: str) -> None:
        """See Store."""
        with suppress(FileNotFoundError):
            self._patiently(lambda fs, root: fs.rm_file(f"{root}/{name}"))

    def _write(self, name: str, write: Callable[[Any, str], None]) -> None:
        def whole(fs: Any, root: str) -> None:
            path = f"{root}/{name}"
            if self._protocol in WHOLE_PUTS:
                write(fs, path)
                return
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            partial = f"{path}.{uuid4().hex}.partial"
            try:
                write(fs, partial)
                fs.mv(partial, path)
            finally:
                if fs.exists(partial):
                    fs.rm_file(partial)

        self._patiently(whole)

    @property
    def _protocol(self) -> str:
        fs, _ = self._place
        return fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """File system, and the folder of the store in it."""
        from fsspec.core import url_to_fs

        # What another machine has just put there has to be seen.
        fs, root = url_to_fs(self.url, use_listings_cache=False)
        return fs, root.rstrip("/")

    def _patiently(self, action: Callable[[Any, str], T]) -> T:
        waits = iter(WAITS)
        while True:
            try:
                return action(*self._place)
            except FileNotFoundError:
                raise
            except Exception as error:
                wait = next(waits, None)
                if wait is None:
                    raise UqbenchError(f"store {self.shown}: {type(error).__name__}: {error}.") from None
                time.sleep(wait)


def open_store(url: str) -> FsspecStore:
    """The store at a URL, after a file was written, read and removed there.

    Raises UqbenchError where fsspec or the package of the protocol is missing, and where the store does not work.
    """
    try:
        import fsspec
    except ImportError:
        raise UqbenchError("--store needs fsspec: pip install 'uqbench[dask]'.") from None
    protocol = urlsplit(url).scheme if "://" in url else ""
    if protocol == "memory":
        raise UqbenchError(
            f"--store {url}: memory is of one process alone; give a folder or an object store."
        )
    try:
        if protocol:
            fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise UqbenchError(f"--store {protocol}://: {error}.") from None
    # Workers have another working directory.
    store = FsspecStore(url if protocol else os.path.abspath(url))
    probe = f"probes/{uuid4().hex}"
    store.put(probe, b"uqbench")
    if store.get(probe) != b"uqbench":
        raise UqbenchError(f"store {store.shown} does not give back what was put there.")
    store.remove(probe)
    return store
