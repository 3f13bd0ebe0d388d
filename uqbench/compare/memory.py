"""Did memory change by more than its tolerance? It is measured once, so there is no noise to compare it with."""

from __future__ import annotations

import math

from uqbench.compare.findings import Finding, factor, shown

FACTOR, LEAST_BYTES = 1.25, 32e6
"""A change counts beyond both: 25 %, and 32 MB, of which allocators and threads make less."""


def memory_findings(where: str, what: str, before: float, after: float) -> list[Finding]:
    """The change of memory, before and after in bytes, if it counts; a zero says that it was not measured."""
    low, high = sorted((before, after))
    if low <= 0 or high <= FACTOR * low or high - low <= LEAST_BYTES:
        return []
    return [
        Finding(
            where,
            what,
            after > before,
            shown(before / 1e6, "MB"),
            shown(after / 1e6, "MB"),
            f"{factor(math.log(after / before))}; tolerance ×{FACTOR:g} and {LEAST_BYTES / 1e6:.0f} MB, measured once",
            math.log(high / low) / math.log(FACTOR),
        )
    ]
