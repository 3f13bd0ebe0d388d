"""Talking to a Dask scheduler that may go away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def scheduler_there() -> Iterator[None]:
    """Raises UqbenchError where the scheduler has gone away; a TimeoutError is the caller's."""
    try:
        yield
    except TimeoutError:
        raise
    except (CancelledError, OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "closed" not in str(error):
            raise
        raise UqbenchError(
            f"the Dask scheduler is gone ({type(error).__name__}). What is finished is kept; the same command goes on "
            "from there."
        ) from None


def workers_of(client: Client) -> Mapping[str, Mapping[str, Any]]:
    """What the scheduler says of its workers, by address.

    Client.scheduler_info would do, were it not for the client's own note of it: that is renewed without workers every
    two seconds, and may be what it returns. Raises UqbenchError where the scheduler has gone away.
    """
    with scheduler_there():
        # Without a scheduler the client has closed itself.
        if (there := client.scheduler) is None:
            raise CancelledError
        found: Any = client.sync(there.identity, n_workers=-1)
    return found["workers"]
