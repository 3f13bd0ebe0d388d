"""Finding and fetching the files of a dataset, checked by size and SHA-256 before they are opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from uqbench.checksum import file_sha256
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from uqbench.data.card import Card, DataFile

BLOCK = 1 << 18

Progress = Callable[[int, int], None]
"""Called with the bytes fetched so far and in all."""


def cache_folder() -> Path:
    """Where fetched files are kept: UQBENCH_CACHE, else the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("UQBENCH_CACHE") or user_cache_dir("uqbench")) / "datasets"


def locate(card: Card, beside: Path) -> dict[str, Path]:
    """Path of each file of a card, by its name.

    Looked for beside the card (the folder given), under UQBENCH_DATA, then in the cache. Raises UqbenchError
    if one is missing, or is there with another size or SHA-256.
    """
    return {file.name: _located(card, file, beside) for file in card.files}


def fetch(card: Card, beside: Path, progress: Progress | None = None) -> dict[str, Path]:
    """As locate, after downloading what is missing and has a URL; an interrupted download goes on."""
    for file in card.files:
        if _find(file, beside) is None and file.url is not None:
            _download(file, file.url, progress)
    return locate(card, beside)


def _find(file: DataFile, beside: Path) -> Path | None:
    data = os.environ.get("UQBENCH_DATA")
    folders = [beside, *([Path(data)] if data else []), cache_folder() / file.sha256[:16]]
    return next((folder / file.name for folder in folders if (folder / file.name).is_file()), None)


def _located(card: Card, file: DataFile, beside: Path) -> Path:
    path = _find(file, beside)
    if path is None:
        remedy = (
            f"Run: uqbench data fetch {card.name}"
            if file.url
            else "It has no public address: put it into a folder and set UQBENCH_DATA to that folder"
        )
        raise UqbenchError(
            f'dataset "{card.name}": the file {file.name} is not there ({file.bytes} bytes, '
            f"SHA-256 {file.sha256}). {remedy}."
        )
    size = path.stat().st_size
    if size != file.bytes:
        raise UqbenchError(
            f'dataset "{card.name}": {path} has {size} bytes, the card says {file.bytes}. '
            "Delete it and fetch or copy it again."
        )
    digest = file_sha256(path)
    if digest != file.sha256:
        raise UqbenchError(
            f'dataset "{card.name}": {path} has SHA-256 {digest}, the card says {file.sha256}. '
            "Delete it and fetch or copy it again."
        )
    return path


def _download(file: DataFile, url: str, progress: Progress | None) -> None:
    """Through pooch, which checks the hash in a temporary file and renames it into place."""
    from pooch import retrieve

    target = cache_folder() / file.sha256[:16] / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")

    class Resume:
        """What pooch calls to download: it names the address, and the file to write."""

        def __call__(
            self,
            fname: str,
            action: str | os.PathLike[str] | None,
            pooch: object,
            *,
            check_only: bool | None = None,
        ) -> None:
            _continue(fname, partial, file.bytes, progress)
            if action is not None:
                shutil.copyfile(partial, action)

    try:
        retrieve(url, f"sha256:{file.sha256}", target.name, target.parent, downloader=Resume())
    except ValueError as error:
        # A wrong hash: what is there is useless for going on.
        partial.unlink(missing_ok=True)
        raise UqbenchError(
            f"{url}: {error}. Nothing was kept; try again, or report a changed file."
        ) from error
    except (HTTPError, URLError, OSError) as error:
        raise UqbenchError(f"{url}: cannot be fetched: {error}. Run the same again to go on.") from error
    partial.unlink(missing_ok=True)


def _continue(url: str, partial: Path, size: int, progress: Progress | None) -> None:
    """Fetch what a partial download lacks, or all of it from a server that does not do ranges."""
    have = partial.stat().st_size if partial.exists() else 0
    if have >= size:
        return
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    # The card's schema admits http and https alone.
    with urlopen(request, timeout=60) as reply:  # noqa: S310
        if have and reply.status != 206:
            have = 0
        with partial.open("ab" if have else "wb") as part:
            while block := reply.read(BLOCK):
                have += len(block)
                if have > size:
                    raise ValueError(f"more than the {size} bytes that the card states")
                part.write(block)
                if progress is not None:
                    progress(have, size)
    if have < size:
        raise OSError(f"the connection ended after {have} of {size} bytes")
