"""What a check found, and how a plugin's exception becomes a sentence."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, ParamSpec

from uqbench.raised import frame_in, line_of

P = ParamSpec("P")


@dataclass(frozen=True)
class Finding:
    """One thing that was checked; words: what is wrong and how to mend it, or a remark."""

    what: str
    status: Literal["ok", "failed", "skipped"]
    words: str = ""


class Broken(Exception):
    """Raised by a check; the message says what is wrong and how to mend it."""


class Skipped(Exception):
    """Raised by a check that does not apply; the message says why."""


def examine(
    what: str, sources: Collection[Path], check: Callable[P, str | None], *args: P.args, **kwargs: P.kwargs
) -> Finding:
    """Run one check with its arguments; the text it returns is a remark.

    An exception of the plugin (also sys.exit) is a failure, told by its type, its message and the line of the
    plugin, whose files are `sources`, that led to it.
    """
    try:
        return Finding(what, "ok", check(*args, **kwargs) or "")
    except Broken as broken:
        return Finding(what, "failed", str(broken))
    except Skipped as skipped:
        return Finding(what, "skipped", str(skipped))
    except (Exception, SystemExit) as error:
        return Finding(what, "failed", f"{type(error).__name__}: {error} ({_place(error, sources)})")


def _place(error: BaseException, sources: Collection[Path]) -> str:
    frame = frame_in(sources, error) or traceback.extract_tb(error.__traceback__)[-1]
    return f"{line_of(frame)}: {frame.line}"
