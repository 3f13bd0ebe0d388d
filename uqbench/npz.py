"""NumPy archives that are not trusted: plain arrays, checked by what their headers claim before any is made."""

from __future__ import annotations

import io
import zipfile
from math import prod
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from uqbench.errors import UqbenchError

MOST_BYTES = 1 << 31
"""Of all arrays together; predictions of ten million components with a hundred samples are larger, and are no file."""
MOST_ARRAYS = 10_000


def read_npz(content: bytes, source: str) -> dict[str, NDArray[Any]]:
    """The arrays of an archive by name; nothing is unpickled.

    Raises UqbenchError, which begins with source, for what is none, and for one that would unpack to more than
    MOST_BYTES.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS:
                raise ValueError(f"it claims {len(members):,} arrays")
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise ValueError(f"it would unpack to more than {MOST_BYTES:,} bytes")
            return {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}
    # A damaged archive is met by whatever zipfile, zlib and NumPy run into.
    except Exception as error:
        raise UqbenchError(f"{source}: not a NumPy archive of plain arrays ({error}).") from None


def _array(content: bytes) -> NDArray[Any]:
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    shape, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    # A header may claim any shape; NumPy would make room for it first.
    if prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"an array of shape {shape} is not as long as that")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)
