"""Progress of a run: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class PlainDisplay:
    """One line for what begins and what ends."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.place = ""
        self.tenth = -1

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
        self.place = f"[{number}/{total}]"

    def step(self, text: str) -> None:
        """Steps of a fit are not worth a line."""

    def finish(self, label: str, outcome: str, seconds: float) -> None:
        """See Display."""
        self._print(f"{self.place} {label}: {outcome} ({seconds:.1f} s)")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveDisplay(PlainDisplay):
    """A bar with the fits done, the current step and the time left; lines for what ended stand above it."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        super().__init__(console)
        self.progress = Progress(
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
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
