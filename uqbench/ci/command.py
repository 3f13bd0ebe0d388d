"""What `uqbench ci` does: run a suite, compare it with what the base branch has, write what reviewers are shown.

Into the folder of results: comment.md, comparison.json and history.jsonl (one line, of this run), beside the records,
the leaderboard and its figures. Whatever goes wrong, there is a comment that says it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uqbench.atomic import write_atomically
from uqbench.ci.history import history_line
from uqbench.ci.job import ci_job
from uqbench.compare.command import compare
from uqbench.compare.page import as_json, markdown
from uqbench.compare.side import Side, read_side
from uqbench.compare.sources import opened
from uqbench.errors import UqbenchError
from uqbench.report.markdown import escape
from uqbench.suite.config import load_suite


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
    code, page = _compare(asked, f"{asked.called} {job.commit[:8]}".strip())
    if trouble:
        code = code or 2
        page += f"\n**The suite did not run whole:** {escape(trouble)}\n"
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


def _compare(asked: Ci, called: str) -> tuple[int, str]:
    """The exit code and the page. called: this run, for people."""
    to = asked.out / "comparison.json"
    try:
        with opened(asked.base) as before:
            found = compare(before, asked.out / "records", asked.scores_only)
    except UqbenchError as error:
        write_atomically(to, json.dumps({"exit_code": 2, "reason": str(error)}, indent=1).encode())
        reason = f"{escape(asked.base)} → {escape(called)}: {escape(str(error))}"
        return 2, f"## uqbench: could not be compared\n\n{reason}\n"
    write_atomically(to, json.dumps(as_json(found, asked.base, called), indent=1).encode())
    return found.exit_code, markdown(found, asked.base, called)
