"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "missing", "warning", "broken"]
"""missing: optional and not there. warning: runs go on, worse than they could. broken: something asked for fails."""


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, what was found, and what to do; remedy is empty where there is nothing to do."""

    what: str
    state: State
    found: str
    remedy: str = ""
