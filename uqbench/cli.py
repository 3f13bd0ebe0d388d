"""The command line: python -m uqbench run | list | report | compare | ci | check-records | pack | score | data |
study | check | new."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from rich.console import Console

RESULTS = Path("uqbench-results")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all went well, 1 if a cell or check failed, 2 for bad input, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except UqbenchError as error:
        print(f"uqbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nuqbench: stopped. What is finished is kept; the same command goes on from there.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        # The reader of our output went away (uqbench list | head); nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="uqbench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run methods on datasets, score them, write a leaderboard")
    run.add_argument(
        "--suite",
        metavar="NAME|FILE",
        help="suite that comes with uqbench, or a YAML file; options override it",
    )
    run.add_argument(
        "--dataset",
        nargs="+",
        action="extend",
        metavar="NAME|FILE",
        help="catalogue names or files of your own",
    )
    run.add_argument("--test", type=Path, metavar="FILE", help="test set to a file of your own")
    _add_keys(run)
    run.add_argument("--backbone", nargs="+", action="extend", metavar="NAME[:field=value,...]")
    run.add_argument(
        "--calculators",
        nargs="+",
        action="extend",
        metavar="MODULE:FUNCTION|FILE",
        help="potentials of your own as a committee: a function that returns ASE calculators, or model files of mace",
    )
    run.add_argument(
        "--trust",
        action="store_true",
        help="read the pickled model files named here, which runs what is in them",
    )
    run.add_argument("--method", nargs="+", action="extend", metavar="NAME[:field=value,...]")
    run.add_argument("--task", nargs="+", action="extend", metavar="NAME")
    run.add_argument("--seed", nargs="+", action="extend", type=int, metavar="N")
    run.add_argument(
        "--train-size", nargs="+", action="extend", type=float, metavar="SHARE", help="for learning curves"
    )
    run.add_argument("--device", nargs="+", action="extend", choices=("cpu", "cuda"))
    run.add_argument(
        "--plugin",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="FILE",
        help="plugins being worked on",
    )
    run.add_argument("--out", type=Path, default=RESULTS, help=f"folder of results (default: {RESULTS})")
    run.add_argument("--fresh", action="store_true", help="run again what is stored already")
    run.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of its time")
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="limit of each fit")
    run.set_defaults(command=_run)

    show = commands.add_parser("list", help="methods, tasks, backbones and datasets, with their parameters")
    show.add_argument("--plugin", nargs="+", action="extend", type=Path, default=[], metavar="FILE")
    show.set_defaults(command=_list)

    report = commands.add_parser(
        "report", help="write the leaderboard anew from records, without running anything"
    )
    report.add_argument(
        "records", type=Path, nargs="?", default=RESULTS / "records", help="folder of records"
    )
    report.add_argument("--out", type=Path, help="folder of leaderboard.md (default: beside the records)")
    report.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write one page to sort, filter and look into, that needs no network; with --out: leaderboard.md too",
    )
    report.set_defaults(command=_report)

    compare = commands.add_parser(
        "compare",
        help="what got worse, wider or slower; exit code 1 for a regression, 2 if that cannot be told",
    )
    for side in ("base", "new"):
        compare.add_argument(
            side, help="folder of records, JSON of pytest-benchmark, or either in git (REVISION:PATH)"
        )
    compare.add_argument("--json", type=Path, metavar="FILE", help="write all that was found there")
    compare.add_argument(
        "--update-baseline",
        action="store_true",
        help="put the new results in place of BASE, whatever was found",
    )
    compare.add_argument("--scores-only", action="store_true", help="leave time and memory alone")
    compare.set_defaults(command=_compare)

    ci = commands.add_parser(
        "ci", help="run a suite and compare it: a comment for reviewers; exit codes as those of compare"
    )
    ci.add_argument("--suite", required=True, metavar="NAME|FILE")
    ci.add_argument(
        "--base", required=True, help="records to compare with: a folder, or one in git (REVISION:PATH)"
    )
    ci.add_argument("--out", type=Path, default=RESULTS, help=f"folder of results (default: {RESULTS})")
    ci.add_argument("--name", default="", help="of the comment and the history (default: that of the suite)")
    ci.add_argument(
        "--arguments",
        default="",
        metavar="TEXT",
        help="more options of run, as in --arguments='--plugin a.py'",
    )
    ci.add_argument("--scores-only", action="store_true", help="leave time and memory alone")
    ci.set_defaults(command=_ci)

    records = commands.add_parser(
        "check-records", help="records as submitted: schema, hash of the data, scores from raw predictions"
    )
    records.add_argument("records", type=Path, help="folder of records")
    records.set_defaults(command=_check_records)

    pack = commands.add_parser("pack", help="records without raw predictions, many, into one file to commit")
    pack.add_argument("records", type=Path, nargs="+", help="folders of records")
    pack.add_argument(
        "bundle", type=Path, help="file to write, NAME.jsonl.xz; `report` reads it in a folder of records"
    )
    pack.set_defaults(command=_pack)

    score = commands.add_parser("score", help="score predictions of your own: .npz, or extended XYZ")
    score.add_argument("file", type=Path, help="predictions beside labels (see the README for the names)")
    score.add_argument(
        "--calibration", type=Path, metavar="FILE", help="a second such file, to calibrate with"
    )
    score.add_argument(
        "--nominal", type=float, metavar="P", help="probability that stated bounds claim (1: envelope)"
    )
    score.add_argument("--json", type=Path, metavar="FILE", help="write all scores there")
    _add_keys(score)
    score.set_defaults(command=_score)

    data = commands.add_parser("data", help="datasets: list, fetch, check, path")
    data.add_argument("action", choices=("list", "fetch", "check", "path"))
    data.add_argument("names", nargs="*", metavar="NAME")
    data.set_defaults(command=_data)

    convert = commands.add_parser(
        "convert", help="a selection of a publisher's HDF5 file as a dataset: a card and a pool"
    )
    convert.add_argument("layout", choices=("ani1x", "transition1x"))
    convert.add_argument("file", type=Path)
    convert.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    convert.add_argument(
        "--per-group", type=int, default=100, metavar="N", help="of a composition or reaction (default: 100)"
    )
    convert.add_argument("--max-atoms", type=int, metavar="N", help="largest molecules")
    convert.add_argument("--element", nargs="+", default=[], metavar="X", help="no others (default: all)")
    convert.add_argument(
        "--split", choices=("data", "train", "val", "test"), help="of transition1x (default: data)"
    )
    convert.set_defaults(command=_convert)

    study = commands.add_parser(
        "study",
        help="linear: methods where the truth is known; propagation: cost and error beside real relaxations",
    )
    study.add_argument("name", choices=("linear", "propagation"))
    study.add_argument(
        "--repeats", type=int, default=200, metavar="N", help="draws of each case, or samples (default: 200)"
    )
    study.add_argument("--out", type=Path, default=RESULTS, help=f"folder of results (default: {RESULTS})")
    study.set_defaults(command=_study)

    check = commands.add_parser("check", help="run a plugin against its contract and say what is wrong")
    check.add_argument("names", nargs="+", action="extend", metavar="NAME[:field=value,...]")
    check.add_argument("--plugin", nargs="+", action="extend", type=Path, default=[], metavar="FILE")
    check.set_defaults(command=_check)

    new = commands.add_parser("new", help="write a commented template of a plugin")
    new.add_argument("kind", choices=("method", "task"))
    new.add_argument("name")
    new.add_argument("--folder", type=Path, default=Path(), help="where to (default: here)")
    new.set_defaults(command=_new)
    return parser


def _add_keys(parser: argparse.ArgumentParser) -> None:
    for label in ("energy", "forces", "stress", "virial", "config-type"):
        parser.add_argument(f"--{label}-key", metavar="NAME", help=f"name of the {label} label in your files")


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def _run(options: argparse.Namespace) -> int:
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
    console = _console()

    @cache
    def load(name: str) -> Dataset:
        dataset = datasets.load(name, default_cache(), options.test, _keys(options))
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


def _keys(options: argparse.Namespace):
    from uqbench.data.read import Keys

    names = ("energy", "forces", "stress", "virial", "config_type")
    given = {k: v for k in names if (v := getattr(options, f"{k}_key")) is not None}
    return Keys(**given) if given else None


def _report(options: argparse.Namespace) -> int:
    from uqbench.report.evidence import load_evidence

    evidence = load_evidence(options.records)
    if options.html:
        from uqbench.report.html.page import write_html_page

        print(f"wrote {write_html_page(options.records, evidence, options.html)}")
    if options.out or not options.html:
        from uqbench.report.leaderboard import write_page

        print(f"wrote {write_page(evidence, options.out or options.records.parent)}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from uqbench.compare.command import run_compare

    return run_compare(
        options.base, options.new, options.json, options.update_baseline, options.scores_only, print
    )


def _ci(options: argparse.Namespace) -> int:
    from uqbench.ci.command import Ci, run_ci

    asked = Ci(options.suite, options.base, options.out, options.name, options.arguments, options.scores_only)
    return run_ci(asked, os.environ)


def _check_records(options: argparse.Namespace) -> int:
    from uqbench.compare.submission import check_records

    return 1 if check_records(options.records, print) else 0


def _pack(options: argparse.Namespace) -> int:
    from uqbench.suite.bundle import write_bundle
    from uqbench.suite.record import read_records

    records = [record for folder in options.records for record in read_records(folder)]
    write_bundle(records, options.bundle)
    print(f"wrote {options.bundle}: {len(records)} records")
    return 0


def _score(options: argparse.Namespace) -> int:
    import json

    from uqbench.atomic import write_atomically
    from uqbench.report.listing import score_listing
    from uqbench.suite.brought import read_brought
    from uqbench.suite.scoring import score_tables

    tables = read_brought(options.file, options.calibration, options.nominal, _keys(options))
    found = score_tables(tables)
    console = _console()
    for table in score_listing(found, {kind: str(t.unit) for kind, t in tables.items()}):
        console.print(table)
    for kind, reasons in found["reasons"].get("raw", {}).get("test", {}).items():
        for name, reason in reasons.items():
            console.print(f"{kind}: no {name}: {reason}", markup=False)
    if options.json:
        write_atomically(options.json, json.dumps(found, indent=1).encode())
    return 0


def _data(options: argparse.Namespace) -> int:
    from uqbench.data import command

    if options.action == "list":
        return 1 if command.list_datasets(print) else 0
    if not options.names:
        raise UqbenchError(f"data {options.action} needs names of datasets; `uqbench data list` shows them.")
    if options.action == "check":
        return 1 if command.check_datasets(options.names, print) else 0
    (command.fetch_datasets if options.action == "fetch" else command.print_paths)(options.names, print)
    return 0


def _convert(options: argparse.Namespace) -> int:
    from uqbench.data.convert import convert
    from uqbench.data.hdf5 import Selection

    selection = Selection(options.per_group, options.max_atoms, tuple(options.element), options.split)
    card = convert(options.file, options.layout, selection, options.out)
    _console().print(f"{card}: run it with --dataset {card}", markup=False, soft_wrap=True)
    return 0


def _study(options: argparse.Namespace) -> int:
    from uqbench.study.command import run_linear_study

    if options.name == "propagation":
        from uqbench.study.propagation import SIZES
        from uqbench.study.propagation_page import run_propagation_study

        return run_propagation_study(options.repeats, SIZES, options.out, _console())
    return run_linear_study(options.repeats, options.out, _console())


def _check(options: argparse.Namespace) -> int:
    from uqbench.check.run import run_check
    from uqbench.registry import discover

    return run_check(options.names, discover(options.plugin), print)


def _new(options: argparse.Namespace) -> int:
    from uqbench.templates.write import write_template

    path = write_template(options.kind, options.name, options.folder)
    print(f"wrote {path}; next: uqbench check {options.name} --plugin {path}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from uqbench.data.catalog import dataset_names
    from uqbench.registry import discover
    from uqbench.spec import describe_fields

    registry = discover(options.plugin)
    for title, found in (
        ("Methods", registry.methods),
        ("Tasks", registry.tasks),
        ("Backbones", registry.backbones),
    ):
        print(title)
        for name, cls in sorted(found.items()):
            about = (sys.modules[cls.__module__].__doc__ or "").strip().splitlines()
            print(f"  {name:<18} {about[0] if about else ''}")
            if not getattr(cls, "by_default", True):
                print(f"  {'':<20}runs only when asked for: --backbone {name}")
            for field, default in describe_fields(cls):
                print(f"  {'':<20}{field} = {default}")
    print("Datasets")
    print("  " + ", ".join(dataset_names()))
    for name, reason in registry.broken.items():
        print(f"broken: {name}: {reason}")
    return 0
