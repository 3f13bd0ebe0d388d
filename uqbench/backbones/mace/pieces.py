"""Lists of structures cut into batches that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TypeVar

from uqbench.errors import UqbenchError

Item = TypeVar("Item", bound=Sized)
Result = TypeVar("Result")


@dataclass
class Pieces:
    """Consecutive items, whose lengths are their atoms, up to `atoms` atoms at a time.

    Where the device has not enough memory the number is halved, for good, and the piece done again.
    """

    atoms: float

    def run(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> Iterator[Result]:
        """Results of work on each piece in turn, which must leave nothing behind where it fails.

        Raises UqbenchError if memory does not suffice for a single item.
        """
        import torch

        start = 0
        while start < len(items):
            stop = self._stop(items, start)
            piece = items[start:stop]
            try:
                result = work(piece)
            except torch.OutOfMemoryError:
                result = None
            # Outside of the handler, since the exception holds on to the tensors of the failed attempt.
            if result is None:
                if len(piece) == 1:
                    raise UqbenchError(
                        f"a single structure of {len(piece[0])} atoms does not fit into the memory of the device; "
                        "use a smaller size or cutoff, or the CPU."
                    )
                self.atoms = sum(len(item) for item in piece) / 2
                torch.cuda.empty_cache()
                continue
            yield result
            start = stop

    def _stop(self, items: Sequence[Item], start: int) -> int:
        total, stop = len(items[start]), start + 1
        while stop < len(items) and (total := total + len(items[stop])) <= self.atoms:
            stop += 1
        return stop
