"""What `uqbench ci` does: run a suite, compare it with what the base branch has, write what reviewers are shown.

Into the folder of results: comment.md, comparison.json and history.jsonl (one line, of this run), beside the records,
the leaderboard and its figures. Whatever goes wrong, there is a comment that says it.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from uqbench.atomic import write_atomically
from uqbench.ci.accepted import accept
from uqbench.ci.asked import asks_for
from uqbench.ci.history import history_line
from uqbench.ci.job import CiJob, ci_job
from uqbench.compare.command import compare
from uqbench.compare.comparison import Comparison
from uqbench.compare.faults import no_verdict
from uqbench.compare.findings import Finding
from uqbench.compare.page import as_json, markdown, safe
from uqbench.compare.side import Side, read_side
from uqbench.compare.sources import opened
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.suite.config import Suite, load_suite

MISSING = "the suite asks for it, and the run left no record"


@dataclass(frozen=True)
class Ci:
    """What is asked. name: of the comment, so that several suites have one each; empty: that of the suite.

    base: a source of `uqbench compare`. arguments: more options of `uqbench run`, as a shell would split them.
    """

    suite: str
    base: str
    out: Path
    name: str
    arguments: str
    scores_only: bool

    @property
    def called(self) -> str:
        """The name, of letters, digits, dots, hyphens and underscores alone: it names artefacts, and marks comments."""
        return re.sub(r"[^A-Za-z0-9_.]+", "-", self.name or Path(self.suite).stem).strip("-.") or "suite"


def run_ci(asked: Ci, environment: Mapping[str, str]) -> int:
    """Run and compare; the exit code of the comparison, 2 too where the suite did not run whole.

    Raises UqbenchError for arguments that cannot be split.
    """
    job = ci_job(environment)
    trouble = _run(asked)
    with no_verdict("the results could not be reported"):
        return _report(asked, job, trouble)


def _report(asked: Ci, job: CiJob, trouble: str) -> int:
    code, page = _compare(asked, f"{asked.called} {job.commit[:8]}".strip(), whole=not trouble)
    if trouble:
        code = code or 2
        page += f"\n**The suite did not run whole:** {safe(trouble)}\n"
    print(page)
    marker = f"<!-- uqbench: {asked.called} -->\n"
    footer = f"\n[Records, figures and the log]({job.url})\n" if job.url else ""
    write_atomically(asked.out / "comment.md", f"{marker}{page}{footer}".encode())
    verdict = page.partition("\n")[0].removeprefix("## uqbench: ")
    line = history_line(asked.called, job, code, verdict, _side(asked))
    write_atomically(asked.out / "history.jsonl", line.encode())
    return code


def _run(asked: Ci) -> str:
    """Run the suite in a process of its own; why it did not run whole, empty if it did.

    Cells that fail have records that say so, and are the comparison's to judge.
    """
    try:
        more = shlex.split(asked.arguments)
    except ValueError as error:
        raise UqbenchError(f"--arguments {asked.arguments!r}: {error}.") from None
    command = ["-m", "uqbench", "run", "--suite", asked.suite, "--out", str(asked.out), *more]
    done = subprocess.run([sys.executable, *command], stderr=subprocess.PIPE, text=True, check=False)
    print(done.stderr, end="", file=sys.stderr, flush=True)
    if done.returncode == 0:
        return ""
    if done.returncode != 1:
        said = done.stderr.strip().splitlines()
        return said[-1] if said else f"uqbench run ended with exit code {done.returncode}."
    side = _side(asked)
    records = [entry.record for entry in side.entries.values()] if side else []
    complete = len({r.cell.dataset for r in records}) >= len(load_suite(asked.out / "suite.yaml").datasets)
    if complete and any(r.status == "failed" for r in records):
        return ""
    return "a dataset could not be used; the log says why."


def _side(asked: Ci) -> Side | None:
    try:
        return read_side(asked.out / "records")
    except UqbenchError:
        return None


def _compare(asked: Ci, called: str, whole: bool) -> tuple[int, str]:
    """The exit code and the page. called: this run, for people. whole: whether it left nothing out."""
    to = asked.out / "comparison.json"
    try:
        with no_verdict("the results could not be compared"), opened(asked.base) as before:
            found = compare(before, asked.out / "records", asked.scores_only)
            base, new = read_side(before), read_side(asked.out / "records")
            head = _committed(asked.base)
            if whole:
                found = _with_gone(found, base, head, load_suite(asked.out / "suite.yaml"))
            if head is not None:
                found = accept(found, base, head, new)
    except UqbenchError as error:
        write_atomically(to, json.dumps({"exit_code": 2, "reason": str(error)}, indent=1).encode())
        reason = f"{safe(asked.base)} → {safe(called)}: {safe(str(error))}"
        return 2, f"## uqbench: could not be compared\n\n{reason}\n"
    write_atomically(to, json.dumps(as_json(found, asked.base, called), indent=1).encode())
    return found.exit_code, markdown(found, asked.base, called)


def _committed(base: str) -> Side | None:
    """The records that the change itself commits in the place of the base's; None where base is no git revision, or
    there are none. Those of HEAD and not the files on disk, which a run may have written over.
    """
    _, colon, inside = base.partition(":")
    if not colon or Path(base).exists():
        return None
    try:
        with opened(f"HEAD:{inside}") as folder:
            side = read_side(folder)
            return side if not side.problems else None
    except UqbenchError:
        return None


def _with_gone(found: Comparison, base: Side, head: Side | None, suite: Suite) -> Comparison:
    """Cells that are gone though the suite asks for them are worse, unless the change takes their records back; those
    that it does not ask for are no matter of this run.
    """
    registry = discover()
    gone = [cell for cell in found.gone if asks_for(suite, base.entries[cell].record.cell, registry)]
    others = len(found.gone) - len(gone)
    findings = [
        Finding(cell, "result", True, "given", "no record", MISSING, math.inf)
        for cell in gone
        if head is None or cell in head.entries
    ]
    notes = (
        (f"cells of the baseline that belong to other suites, and are not looked at: {others}",)
        if others
        else ()
    )
    return replace(
        found, gone=tuple(gone), findings=(*findings, *found.findings), notes=(*found.notes, *notes)
    )
