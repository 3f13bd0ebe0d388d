"""A fault of our own is never a verdict: Python ends with exit code 1 after it, and 1 says that something got worse."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uqbench.errors import UqbenchError


@contextmanager
def no_verdict(what: str) -> Iterator[None]:
    """Turn any other exception of the body into a UqbenchError, which says what it happened in, and where."""
    try:
        yield
    except UqbenchError:
        raise
    except OSError as error:
        raise UqbenchError(f"{what}: {error}.") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise UqbenchError(
            f"{what}: {type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno}). This is a "
            "fault of uqbench, or of a record that it should refuse; please report it."
        ) from error
