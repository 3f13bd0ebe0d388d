"""Where in a plugin an exception came from."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from pathlib import Path
from traceback import FrameSummary


def frame_in(sources: Collection[Path], error: BaseException) -> FrameSummary | None:
    """The innermost line of these files that led to an exception; None if none of their lines did."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) in sources]
    return ours[-1] if ours else None


def line_of(frame: FrameSummary) -> str:
    """File and line, for people."""
    return f"{Path(frame.filename).name}, line {frame.lineno}"
