"""The command run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from uqbench.cli.common import keys

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from uqbench.backbones.store import Store
    from uqbench.cli.voice import Voice
    from uqbench.data.dataset import Dataset
    from uqbench.registry import Registry
    from uqbench.suite.execute import Crew, Display, Settings
    from uqbench.suite.plan import Fit
    from uqbench.suite.record import Record


def run(options: argparse.Namespace) -> int:
    """Plan, run, score, write the page; 0, or 1 if a cell or dataset failed, or 130 after Ctrl-C.

    Raises UqbenchError for what cannot be asked, and if no dataset can be used.
    """
    from uqbench.cli.voice import voice

    with voice(options.quiet, options.log_file) as console:
        try:
            return _run(options, console)
        except KeyboardInterrupt:
            records = options.out / "records"
            console.complain(
                f"\nuqbench: stopped. What is finished is kept in {records}.\n"
                "The same command goes on from there. A leaderboard of what there is:\n"
                f"uqbench report {records}"
            )
            return 130


def _run(options: argparse.Namespace, console: Voice) -> int:
    import time
    from functools import cache

    from uqbench.atomic import write_atomically
    from uqbench.data.describe import describe
    from uqbench.data.references import check_references
    from uqbench.errors import UqbenchError
    from uqbench.registry import discover
    from uqbench.report.leaderboard import write_report
    from uqbench.report.terminal import summary_tables
    from uqbench.suite import datasets
    from uqbench.suite.config import Suite, dump_suite, find_suite, load_suite, override
    from uqbench.suite.display import duration
    from uqbench.suite.execute import Settings
    from uqbench.suite.plan import require_trust
    from uqbench.suite.record import make_folder
    from uqbench.suite.run import default_cache, plan_suite, run_plan, usable

    began = time.perf_counter()
    registry = discover(options.plugin)
    suite = load_suite(find_suite(options.suite)) if options.suite else Suite()
    fields = {
        "datasets": options.dataset,
        "backbones": options.backbone,
        "methods": options.method,
        "tasks": options.task,
        "seeds": options.seed,
        "train_sizes": options.train_size,
        "devices": options.device,
        "timeout": options.timeout,
    }
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items() if v is not None}
    if options.calculators:
        committee = {"calculators": {"source": options.calculators}}
        given["backbones"] = (*given.get("backbones", ()), committee)
    for file in options.mace_model or ():
        given["backbones"] = (*given.get("backbones", ()), {"mace": {"start": file}})
    suite = override(suite, given)

    @cache
    def load(name: str) -> Dataset:
        dataset = datasets.load(name, default_cache(), options.test, keys(options))
        console.say("\n".join([describe(dataset), *check_references(dataset, registry.tasks)]))
        return dataset

    plan = plan_suite(suite, registry, console.say)
    for backbone in dict.fromkeys(fit.backbone for fit in plan):
        require_trust(backbone.build(registry, "backbones"), options.trust)
    plan, unusable = usable(plan, load, suite.held_out)
    if not plan:
        raise UqbenchError("\n".join(unusable))
    for reason in unusable:
        console.complain(reason)
    if options.dry_run:
        for fit in plan:
            console.say(f"{fit.label}: {', '.join(fit.tasks)}")
    console.say(_announcement(plan, registry, load, options))
    if options.dry_run:
        return 1 if unusable else 0
    settings = Settings(
        options.out,
        default_cache(),
        tuple(p.resolve() for p in options.plugin),
        suite.scales.by_kind(),
        suite.held_out,
        suite.timeout,
        os.cpu_count() or 1,
        options.fresh,
        options.trust,
        _store(options.store),
        options.memory_limit,
        suite.weights,
    )
    make_folder(settings.records)
    records = run_plan(plan, settings, registry, load, console, _hire(options))
    write_atomically(options.out / "suite.yaml", dump_suite(suite).encode())
    for table in summary_tables(records):
        console.say("")
        console.print(table)
    console.say("")
    for reason, cells in _not_applicable(records).items():
        console.say(f"not applicable: {cells}: {reason}")
    failed = [r for r in records if r.status == "failed"]
    for record in failed:
        console.complain(f"failed: {record.cell_id}: {record.failure.reason if record.failure else ''}")
    if failed:
        console.complain(
            f"Their tracebacks and what they printed are in {options.out / 'logs'}; "
            "the same command tries them again."
        )
    page = write_report(settings.records, options.out)
    console.say(f"{_fits(len(plan))} in {duration(time.perf_counter() - began)}. Leaderboard: {page}")
    return 1 if failed or unusable else 0


def _not_applicable(records: Sequence[Record]) -> dict[str, str]:
    """By reason: the methods and tasks that it is the reason of."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for record in records:
        if record.status == "not applicable":
            reason = record.failure.reason if record.failure else ""
            methods, tasks = found.setdefault(reason, ({}, {}))
            methods[record.cell.method] = tasks[record.cell.task] = None
    return {
        reason: f"{', '.join(methods)} ({', '.join(tasks)})" for reason, (methods, tasks) in found.items()
    }


def _announcement(
    plan: Sequence[Fit],
    registry: Registry,
    load: Callable[[str], Dataset],
    options: argparse.Namespace,
) -> str:
    """What is going to be done, how long it takes, where results go, and how it is stopped."""
    from uqbench.suite.display import duration
    from uqbench.suite.run import estimate_seconds

    seconds = estimate_seconds(plan, registry, load, os.cpu_count() or 1, options.jobs or 1)
    counts = {
        "dataset": len({fit.dataset for fit in plan}),
        "backbone": len({fit.backbone for fit in plan}),
        "method": len({fit.method for fit in plan}),
        "task": len({task for fit in plan for task in fit.tasks}),
    }
    what = ", ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in counts.items())
    kept = "everything is run" if options.fresh else "what is there already is not run again"
    return (
        f"{_fits(len(plan))} ({what}), about {duration(seconds)} from scratch.\n"
        f"Results in {options.out}; {kept}. Ctrl-C stops, and the same command goes on."
    )


def _fits(n: int) -> str:
    return "1 fit" if n == 1 else f"{n} fits"


def _store(url: str | None) -> Store | None:
    from uqbench.cluster.store import open_store

    return open_store(url) if url else None


def _hire(options: argparse.Namespace) -> Callable[[Settings, Display], AbstractContextManager[Crew | None]]:
    """Who carries out fits: this process's children one after the other, unless workers were asked for."""
    from contextlib import nullcontext

    if options.jobs is None and options.scheduler is None:
        return lambda settings, display: nullcontext()
    from uqbench.cluster.hire import local_crew, remote_crew

    if options.scheduler is not None:
        return lambda settings, display: remote_crew(options.scheduler, settings, display)
    return lambda settings, display: local_crew(options.jobs, settings, display)
