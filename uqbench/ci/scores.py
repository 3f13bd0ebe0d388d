"""Scores of a suite by name, for tests to assert: which cells there are, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from uqbench.errors import UqbenchError
from uqbench.registry import unknown
from uqbench.suite.record import Record, ScorePart


@dataclass(frozen=True)
class CellScores:
    """The result of one cell. record: all of it, properties and costs too."""

    record: Record

    def score(self, name: str, kind: str, variant: str = "raw", part: str = "test") -> ScorePart:
        """A score with its 95 % interval: value, low, high, the last two None where it has none.

        name: as in records ("coverage_95", "width_stated", "interval_score_95", ...). kind: "energy", "forces" or
        "stress". variant: "raw" or "calibrated". part: "test" or "held_out".
        Raises UqbenchError for what there is not, with what there is or why it is missing.
        """
        found: Any = self.record.scores
        for what, key in (("variant", variant), ("part", part), ("kind", kind)):
            if key not in found:
                raise UqbenchError(f"{self.record.cell_id}: {unknown(what, key, found)}")
            found = found[key]
        if name in found:
            return found[name]
        reason = self.record.reasons.get(variant, {}).get(part, {}).get(kind, {}).get(name)
        raise UqbenchError(
            f"{self.record.cell_id}: "
            + (
                f"no {name} of {variant} {kind} ({part}): {reason}"
                if reason
                else unknown("score", name, found)
            )
        )


@dataclass(frozen=True)
class SuiteScores:
    """The results of a suite, by cell."""

    records: tuple[Record, ...]

    def __call__(
        self,
        method: str,
        task: str,
        dataset: str | None = None,
        backbone: str | None = None,
        train_size: float | None = None,
        seed: int | None = None,
        device: str | None = None,
    ) -> CellScores:
        """The cell that these words single out, as records spell them: "pops:posterior=ensemble", say.

        Raises UqbenchError for a name that the suite does not have, for words that leave several cells, and for a
        cell without a result, with the reason that its record gives.
        """
        left = list(self.records)
        asked = {
            "method": method,
            "task": task,
            "dataset": dataset,
            "backbone": backbone,
            "train_size": train_size,
            "seed": seed,
            "device": device,
        }
        for field, value in asked.items():
            if value is None:
                continue
            there = {getattr(r.cell, field) for r in left}
            left = [r for r in left if getattr(r.cell, field) == value]
            if not left:
                raise UqbenchError(f"In this suite, {unknown(field, str(value), map(str, there))}")
        if len(left) > 1:
            open_fields = [f for f in asked if len({getattr(r.cell, f) for r in left}) > 1]
            cells = ", ".join(r.cell_id for r in left)
            raise UqbenchError(
                f"{len(left)} cells answer to that: {cells}. Say {' or '.join(open_fields)} too."
            )
        (record,) = left
        if record.status != "ok":
            reason = record.failure.reason if record.failure else "no reason given"
            raise UqbenchError(f"{record.cell_id}: {record.status}: {reason}")
        return CellScores(record)


def run_suite(name: str, out: Path, plugins: Sequence[Path]) -> SuiteScores:
    """Run what of a suite is not stored yet, and give the results of all its cells.

    Raises UqbenchError for a suite or plugin that cannot be read, and for a dataset that cannot be used.
    """
    import os

    from rich.console import Console

    from uqbench.registry import discover
    from uqbench.suite import datasets
    from uqbench.suite.config import find_suite, load_suite
    from uqbench.suite.execute import Settings
    from uqbench.suite.record import make_folder
    from uqbench.suite.run import default_cache, plan_suite, run_plan, usable

    registry = discover(plugins)
    suite = load_suite(find_suite(name))
    settings = Settings(
        out.resolve(),
        default_cache(),
        tuple(p.resolve() for p in plugins),
        suite.scales.by_kind(),
        suite.held_out,
        suite.timeout,
        os.cpu_count() or 1,
        fresh=False,
        weights=suite.weights,
    )
    make_folder(settings.records)
    load = cache(lambda dataset: datasets.load(dataset, default_cache()))
    plan, unusable = usable(plan_suite(suite, registry), load, suite.held_out)
    if unusable:
        raise UqbenchError("\n".join(unusable))
    return SuiteScores(tuple(run_plan(plan, settings, registry, load, Console(file=StringIO()))))
