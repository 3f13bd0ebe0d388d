"""The command run."""

from __future__ import annotations

import argparse
import os

from uqbench.cli.common import console as make_console
from uqbench.cli.common import keys


def run(options: argparse.Namespace) -> int:
    """Plan, run, score, write the page; 0, or 1 if a cell or dataset failed."""
    from functools import cache

    from uqbench.atomic import write_atomically
    from uqbench.data.dataset import Dataset
    from uqbench.data.describe import describe
    from uqbench.registry import discover
    from uqbench.report.leaderboard import write_report
    from uqbench.report.terminal import summary_tables
    from uqbench.suite import datasets
    from uqbench.suite.config import Suite, dump_suite, find_suite, load_suite, override
    from uqbench.suite.execute import Settings
    from uqbench.suite.plan import require_trust
    from uqbench.suite.record import make_folder
    from uqbench.suite.run import default_cache, estimate_seconds, plan_suite, run_plan

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
    suite = override(suite, given)
    console = make_console()

    @cache
    def load(name: str) -> Dataset:
        dataset = datasets.load(name, default_cache(), options.test, keys(options))
        console.print(describe(dataset), markup=False, soft_wrap=True)
        return dataset

    plan = plan_suite(suite, registry, lambda text: console.print(text, markup=False))
    for backbone in dict.fromkeys(fit.backbone for fit in plan):
        require_trust(backbone.build(registry, "backbones"), options.trust)
    if options.dry_run:
        for fit in plan:
            console.print(f"{fit.label}: {', '.join(fit.tasks)}", markup=False, soft_wrap=True)
        minutes = estimate_seconds(plan, load, os.cpu_count() or 1) / 60.0
        console.print(f"{len(plan)} fits, about {minutes:.1f} min from scratch; results in {options.out}")
        return 0
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
    )
    make_folder(settings.records)
    records, unusable = run_plan(plan, settings, registry, load, console)
    for name, reason in unusable.items():
        console.print(f"{name}: {reason}", markup=False, soft_wrap=True)
    if not records:
        return 1
    write_atomically(options.out / "suite.yaml", dump_suite(suite).encode())
    for table in summary_tables(records):
        console.print(table)
    console.print(f"Leaderboard: {write_report(settings.records, options.out)}", markup=False, soft_wrap=True)
    failed = [r for r in records if r.status == "failed"]
    for record in failed:
        reason = record.failure.reason if record.failure else ""
        console.print(f"failed: {record.cell_id}: {reason}", markup=False, soft_wrap=True)
    return 1 if failed or unusable else 0
