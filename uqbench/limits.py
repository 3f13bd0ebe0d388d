"""Files that are not trusted, read up to a size: what is larger than any honest file of its kind is refused."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from pathlib import Path

from uqbench.errors import UqbenchError


def read_at_most(path: Path, most: int, what: str) -> bytes:
    """The content of a regular file; raises UqbenchError if it cannot be read or has more than `most` bytes.

    what: begins the message.
    """
    try:
        if path.exists() and not path.is_file():
            raise UqbenchError(f"{what} {path} cannot be read: it is no regular file.")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UqbenchError(f"{what} {path} cannot be read: {error}.") from None
    if len(content) > most:
        raise UqbenchError(f"{what} {path} has more than {most:,} bytes; it is not what it is taken for.")
    return content


def decompressed(content: bytes, suffix: str, most: int, what: str) -> bytes:
    """What .gz or .xz content unpacks to.

    Raises UqbenchError, which begins with `what`, if it is damaged or unpacks to more than `most` bytes.
    """
    packed = io.BytesIO(content)
    try:
        with gzip.GzipFile(fileobj=packed) if suffix == ".gz" else lzma.LZMAFile(packed) as file:
            unpacked = file.read(most + 1)
    except (OSError, EOFError, MemoryError, lzma.LZMAError, zlib.error) as error:
        raise UqbenchError(f"{what}: cannot be decompressed: {error}. Fetch or compress it again.") from error
    if len(unpacked) > most:
        raise UqbenchError(f"{what}: it unpacks to more than {most:,} bytes; it is not what it is taken for.")
    return unpacked
