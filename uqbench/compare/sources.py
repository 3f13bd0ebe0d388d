"""Where results to compare come from: a folder of records, a file of pytest-benchmark, or either in a git revision."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from uqbench.errors import UqbenchError


@contextmanager
def opened(source: str) -> Iterator[Path]:
    """The folder or file that a source names; of a git revision (REVISION:PATH) a copy, as long as the body runs.

    What exists on disk is that; PATH in a revision is counted from the root of the repository, as git does.
    Raises UqbenchError for what is neither.
    """
    path = Path(source)
    if path.exists():
        yield path
        return
    revision, colon, inside = source.partition(":")
    if not (colon and revision and inside) or source.startswith("-"):
        raise UqbenchError(
            f"{source} is not there. A folder of records, a JSON file of pytest-benchmark, or either of a git "
            "revision, such as main:leaderboard/records, can be compared."
        )
    kind = _git("cat-file", "-t", source, source=source).decode().strip()
    with TemporaryDirectory(prefix="uqbench-compare-") as folder:
        target = Path(folder) / Path(inside).name
        if kind == "blob":
            target.write_bytes(_git("cat-file", "blob", source, source=source))
        else:
            target.mkdir()
            # In any other folder of the repository git archives what lies below that folder alone.
            root = _git("rev-parse", "--show-toplevel", source=source).decode().strip()
            _extract(_git("-C", root, "archive", "--format=tar", source, source=source), target, source)
        try:
            yield target
        except UqbenchError as error:
            # The copy is gone when the message is read.
            raise UqbenchError(str(error).replace(str(target), source)) from None


def _extract(archive: bytes, target: Path, source: str) -> None:
    """Unpack plain files and folders into the target, and nothing else."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar.getmembers():
                if not (member.isfile() or member.isdir()):
                    raise UqbenchError(
                        f"{source}: {member.name} is a link or a device; records are plain files. Take it out."
                    )
            tar.extractall(target, filter="data")
    except tarfile.TarError as error:
        raise UqbenchError(f"{source}: it cannot be unpacked: {error}.") from None


def _git(*arguments: str, source: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise UqbenchError(f"{source}: git cannot be run ({error}); give a folder instead.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UqbenchError(
            f"{source} is neither a folder or file here nor in git ({said[-1] if said else 'git failed'}). "
            "Fetch the revision first, or correct its name or path."
        )
    return done.stdout
