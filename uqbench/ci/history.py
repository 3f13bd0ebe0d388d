"""One line of JSON a run, to be appended to a file that is kept: the verdict, and the scores that comparisons test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from uqbench.ci.job import CiJob
from uqbench.compare.side import Side
from uqbench.suite.record import Record

KEPT = (("raw", "width_stated"), ("raw", "coverage_stated"), ("calibrated", "interval_score_95"))
"""Of the test part, as variant and score."""


def history_line(name: str, job: CiJob, exit_code: int, verdict: str, side: Side | None) -> str:
    """The line. side: the records of the run, if it made any."""
    entries = side.entries if side else {}
    content = {
        "format": "uqbench history 1",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": name,
        "commit": job.commit,
        "ref": job.ref,
        "job": job.url,
        "exit_code": exit_code,
        "verdict": verdict,
        "cells": {cell: _cell(entry.record) for cell, entry in entries.items()},
    }
    return f"{json.dumps(content)}\n"


def _cell(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {"status": record.status, "machine_class": record.machine_class}
    predict: Mapping[str, Any] = record.cost.get("predict", {})
    if "ratio_to_bare" in predict:
        found["time_to_bare"] = predict["ratio_to_bare"]
        found["contended"] = record.cost.get("contended")
    for variant, name in KEPT:
        for kind, scores in record.scores.get(variant, {}).get("test", {}).items():
            if name in scores:
                found.setdefault(kind, {})[name] = scores[name].value
    return found
