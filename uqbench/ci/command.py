"""What `uqbench ci` does: run a suite, compare it with what the base branch has, write what reviewers are shown.

Into the folder of results: comment.md, comparison.json and history.jsonl (one line, of this run), beside the records,
the leaderboard and its figures. Whatever goes wrong, there is a comment that says it.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uqbench.atomic import write_atomically
from uqbench.ci.accepted import accept
from uqbench.ci.gone import Suites, judge_gone, suite_before
from uqbench.ci.history import history_line
from uqbench.ci.job import CiJob, ci_job
from uqbench.ci.suite_run import run_suite, side_of
from uqbench.cli.parser import make_parser
from uqbench.compare.command import compare_records
from uqbench.compare.comparison import Comparison
from uqbench.compare.faults import no_verdict
from uqbench.compare.page import as_json, markdown, safe
from uqbench.compare.side import Side, read_side
from uqbench.compare.sources import opened
from uqbench.errors import UqbenchError
from uqbench.registry import discover
from uqbench.suite.config import load_suite

TITLE = "## uqbench: "
NOT_WHOLE = "the suite did not run whole"


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

    @property
    def options(self) -> list[str]:
        """The arguments, split; raises UqbenchError where they cannot be."""
        try:
            return shlex.split(self.arguments)
        except ValueError as error:
            raise UqbenchError(f"--arguments {self.arguments!r}: {error}.") from None


@dataclass(frozen=True)
class Outcome:
    """code: the exit code. page: markdown, the verdict in its first line. content: the same for comparison.json."""

    code: int
    page: str
    content: Mapping[str, Any]


def run_ci(asked: Ci, environment: Mapping[str, str]) -> int:
    """Run and compare; the exit code of the comparison, 2 too where the suite did not run whole.

    Raises UqbenchError for arguments that cannot be split.
    """
    options = asked.options
    job = ci_job(environment)
    called = f"{asked.called} {job.commit[:8]}".strip()
    with no_verdict("the results could not be reported"):
        if unreadable := _unreadable(asked.base):
            reason = f"{unreadable} The suite was not run."
            return _report(asked, job, _failure(asked, called, "could not be compared", reason), None)
        trouble = run_suite(asked.suite, asked.out, options)
        return _report(asked, job, _outcome(asked, called, options, trouble), side_of(asked.out))


def _unreadable(base: str) -> str:
    """Why nothing can be compared with the base, known before a run is made; empty if its records are there."""
    try:
        with no_verdict(f"{base} cannot be read"), opened(base) as folder:
            read_side(folder)
    except UqbenchError as error:
        return str(error)
    return ""


def _outcome(asked: Ci, called: str, options: Sequence[str], trouble: str) -> Outcome:
    """What the comparison says. called: this run, for people. trouble: why it did not run whole, which comes first."""
    try:
        with no_verdict("the results could not be compared"):
            found = _compare(asked, options, whole=not trouble)
    except UqbenchError as error:
        # Where hardly anything ran, what the comparison lacks is no news.
        verdict = NOT_WHOLE if trouble else "could not be compared"
        return _failure(asked, called, verdict, trouble or str(error))
    page = markdown(found, asked.base, called)
    content = as_json(found, asked.base, called)
    if not trouble:
        return Outcome(found.exit_code, page, content)
    code = found.exit_code or 2
    verdict, _, rest = page.removeprefix(TITLE).partition("\n")
    page = f"{TITLE}{NOT_WHOLE}; {verdict}\n\n{safe(trouble)}\n{rest}"
    return Outcome(code, page, {**content, "exit_code": code, "not_whole": trouble})


def _failure(asked: Ci, called: str, verdict: str, reason: str) -> Outcome:
    """Where there is no comparison."""
    page = f"{TITLE}{verdict}\n\n{safe(asked.base)} → {safe(called)}: {safe(reason)}\n"
    return Outcome(2, page, {"exit_code": 2, "verdict": verdict, "reason": reason})


def _compare(asked: Ci, options: Sequence[str], whole: bool) -> Comparison:
    """The comparison with the base. whole: whether the run left nothing out, so that cells can be missed."""
    head = _committed(asked.base)
    with opened(asked.base) as folder:
        base, new = read_side(folder), read_side(asked.out / "records")
        if not whole:
            found = compare_records(base, new, asked.scores_only)
        else:
            now = load_suite(asked.out / "suite.yaml")
            registry = discover(make_parser(None).parse_args(["run", *options]).plugin)
            suites = Suites(suite_before(asked.base, asked.suite, now), now, registry)
            found = compare_records(base, suites.without_dropped(new), asked.scores_only)
            found = judge_gone(found, base, head, suites)
    return found if head is None else accept(found, base, head, new)


def _report(asked: Ci, job: CiJob, outcome: Outcome, side: Side | None) -> int:
    """Write and print it; the exit code. side: the records of the run, if it made any."""
    # Entities keep the text of others plain in a comment; a terminal would show them.
    print(html.unescape(outcome.page))
    write_atomically(asked.out / "comparison.json", json.dumps(outcome.content, indent=1).encode())
    marker = f"<!-- uqbench: {asked.called} -->\n"
    footer = f"\n[Records, figures and the log]({job.url})\n" if job.url else ""
    write_atomically(asked.out / "comment.md", f"{marker}{outcome.page}{footer}".encode())
    verdict = outcome.page.partition("\n")[0].removeprefix(TITLE)
    line = history_line(asked.called, job, outcome.code, verdict, side)
    write_atomically(asked.out / "history.jsonl", line.encode())
    return outcome.code


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
