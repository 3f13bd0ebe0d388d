"""Progress of a run: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


WORTH_SAYING = 20.0
"""Seconds left that are worth a word."""


def duration(seconds: float) -> str:
    """A time as people say it, to one or two digits.

    >>> [duration(s) for s in (0.4, 42.0, 95.0, 500.0, 9000.0, 400000.0)]
    ['1 s', '42 s', '2 min', '8 min', '2.5 h', '4.6 days']
    """
    for limit, size, name, digits in ((90, 1, "s", 0), (5400, 60, "min", 0), (172800, 3600, "h", 1)):
        if seconds < limit:
            return f"{max(seconds / size, 1):.{digits}f} {name}"
    return f"{seconds / 86400:.1f} days"


class PlainDisplay:
    """One line for what begins and what ends."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.place = ""
        self.tenth = -1
        self.total = self.done = self.computed = 0
        self.began = time.perf_counter()

    def rows(self, done: int, total: int) -> None:
        """A line every tenth of the way."""
        tenth = 10 * done // total
        if tenth != self.tenth:
            self.tenth = tenth
            self._print(f"design rows: {done} of {total} structures")

    def note(self, text: str) -> None:
        """See Display."""
        self._print(text)

    def start(self, number: int, total: int, label: str) -> None:
        """See Display."""
        self.place, self.total = f"[{number}/{total}]", total

    def step(self, text: str) -> None:
        """Steps of a fit are not worth a line."""

    def finish(self, label: str, outcome: str, seconds: float) -> None:
        """See Display."""
        self.done += 1
        self.computed += outcome != "stored"
        self._print(f"{self.place} {label}: {outcome} ({seconds:.1f} s){self._left()}")

    def _left(self) -> str:
        """The time left if the rest takes as long as what was computed; less, where some of it is stored."""
        if not self.computed:
            return ""
        left = (time.perf_counter() - self.began) / self.computed * (self.total - self.done)
        return f"; about {duration(left)} left" if left > WORTH_SAYING else ""

    def _print(self, text: str) -> None:
        # Whole in a file or pipe; broken between words on a terminal.
        self.console.print(text, markup=False, highlight=False, soft_wrap=not self.console.is_terminal)


class LiveDisplay(PlainDisplay):
    """A bar with the fits done, the time taken and the current step; lines for what ended, and the time left, above."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        super().__init__(console)
        self.progress = Progress(
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
            ),
            console=console,
            transient=True,
        )
        self.bar = self.progress.add_task("", total=total)
        self.label = ""

    def __enter__(self) -> LiveDisplay:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def rows(self, done: int, total: int) -> None:
        """See Display."""
        self.progress.update(self.bar, description=f"design rows {done}/{total}")

    def start(self, number: int, total: int, label: str) -> None:
        """See Display."""
        super().start(number, total, label)
        self.label = label
        self.progress.update(self.bar, description=label)

    def step(self, text: str) -> None:
        """See Display."""
        self.progress.update(self.bar, description=f"{self.label}: {text}")

    def finish(self, label: str, outcome: str, seconds: float) -> None:
        """See Display."""
        super().finish(label, outcome, seconds)
        self.progress.advance(self.bar)
