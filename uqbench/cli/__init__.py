"""The command line: python -m uqbench run | list | doctor | report | compare | ci | check-records | pack | score |
data | convert | study | check | new."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from uqbench.cli.common import console, keys
from uqbench.cli.parser import make_parser
from uqbench.cli.run import run
from uqbench.errors import UqbenchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all went well, 1 if a cell or check failed, 2 for bad input, 130 after Ctrl-C."""
    options = make_parser(__doc__).parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except UqbenchError as error:
        print(f"uqbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nuqbench: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (uqbench list | head); nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


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

    tables = read_brought(options.file, options.calibration, options.nominal, keys(options))
    found = score_tables(tables)
    terminal = console()
    for table in score_listing(found, {kind: str(t.unit) for kind, t in tables.items()}):
        terminal.print(table)
    for kind, reasons in found["reasons"].get("raw", {}).get("test", {}).items():
        for name, reason in reasons.items():
            terminal.print(f"{kind}: no {name}: {reason}", markup=False)
    if options.json:
        write_atomically(options.json, json.dumps(found, indent=1).encode())
    return 0


def _data(options: argparse.Namespace) -> int:
    from uqbench.data import command

    if options.action != "check" and keys(options) is not None:
        raise UqbenchError(
            f"data {options.action} reads no labels; names of labels are for `uqbench data check`."
        )
    if options.action == "list":
        return 1 if command.list_datasets(print) else 0
    if not options.names:
        raise UqbenchError(f"data {options.action} needs names of datasets; `uqbench data list` shows them.")
    if options.action == "check":
        return 1 if command.check_datasets(options.names, print, keys(options)) else 0
    (command.fetch_datasets if options.action == "fetch" else command.print_paths)(options.names, print)
    return 0


def _convert(options: argparse.Namespace) -> int:
    from uqbench.data.convert import convert
    from uqbench.data.hdf5 import Selection

    selection = Selection(options.per_group, options.max_atoms, tuple(options.element), options.split)
    card = convert(options.file, options.layout, selection, options.out)
    console().print(f"{card}: run it with --dataset {card}", markup=False, soft_wrap=True)
    return 0


def _study(options: argparse.Namespace) -> int:
    from uqbench.study.command import run_linear_study

    if options.name == "propagation":
        from uqbench.study.propagation import SIZES
        from uqbench.study.propagation_page import run_propagation_study

        return run_propagation_study(options.repeats, SIZES, options.out, console())
    return run_linear_study(options.repeats, options.out, console())


def _check(options: argparse.Namespace) -> int:
    from uqbench.check.run import run_check
    from uqbench.registry import discover

    return run_check(options.names, discover(options.plugin), print)


def _new(options: argparse.Namespace) -> int:
    from uqbench.templates.write import write_template

    path = write_template(options.kind, options.name, options.folder)
    print(f"wrote {path}; next: uqbench check {options.name} --plugin {path}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from uqbench.doctor.command import run_doctor

    return run_doctor(options.out, options.plugin, console())


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


COMMANDS = {
    "run": run,
    "list": _list,
    "doctor": _doctor,
    "report": _report,
    "compare": _compare,
    "ci": _ci,
    "check-records": _check_records,
    "pack": _pack,
    "score": _score,
    "data": _data,
    "convert": _convert,
    "study": _study,
    "check": _check,
    "new": _new,
}
