"""All scores of one set of predictions, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def score_listing(found: Mapping[str, Any], units: Mapping[str, str]) -> list[Table]:
    """One table a kind: a row a score, raw beside calibrated, with 95 % intervals.

    found: what uqbench.suite.scoring.score_tables gives. units: of each kind.
    """
    from rich.table import Table
    from rich.text import Text

    tables = []
    variants = [v for v in ("raw", "calibrated") if v in found["scores"]]
    for kind in found["scores"]["raw"]["test"]:
        by_variant = {v: found["scores"][v]["test"].get(kind, {}) for v in variants}
        table = Table(title=Text(f"{kind} ({units[kind]})"), title_justify="left")
        table.add_column("score")
        for variant in by_variant:
            table.add_column(variant, justify="right")
        names = list(dict.fromkeys(name for scores in by_variant.values() for name in scores))
        for name in names:
            table.add_row(name, *(_cell(scores.get(name)) for scores in by_variant.values()))
        tables.append(table)
    return tables


def _cell(score: Mapping[str, float | None] | None) -> str:
    if score is None or score["value"] is None:
        return "–"
    text = f"{score['value']:.4g}"
    if score["low"] is None or score["high"] is None:
        return text
    return f"{text} [{score['low']:.3g}, {score['high']:.3g}]"
