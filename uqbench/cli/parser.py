"""Options of every command."""

from __future__ import annotations

import argparse
from pathlib import Path

RESULTS = Path("uqbench-results")


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Parser of all commands; `command` of what it gives is the name of one."""
    parser = argparse.ArgumentParser(prog="uqbench", description=description)
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
        "--mace-model",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="short for --backbone mace:start=FILE: a trained model as it is, and linear methods on its last layer",
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
    run.add_argument(
        "--memory-limit",
        type=_bytes,
        metavar="SIZE",
        help="limit of each fit, as 4GB or 500MB (default: none)",
    )
    several = run.add_mutually_exclusive_group()
    several.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="fits at a time, in processes of this machine; times are not ranked",
    )
    several.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler that is there: tcp://HOST:PORT"
    )
    run.add_argument(
        "--store", metavar="FOLDER|URL", help="where machines share rows, networks and records (fsspec)"
    )
    run.add_argument("--quiet", action="store_true", help="say nothing but what goes wrong")
    run.add_argument(
        "--log-file", type=Path, metavar="FILE", help="append what is said, with the time; with --quiet too"
    )
    run.set_defaults(command="run")

    show = commands.add_parser("list", help="methods, tasks, backbones and datasets, with their parameters")
    show.add_argument("--plugin", nargs="+", action="extend", type=Path, default=[], metavar="FILE")
    show.set_defaults(command="list")

    doctor = commands.add_parser(
        "doctor", help="what works on this machine, what does not and why; exit code 1 if something is broken"
    )
    doctor.add_argument("--out", type=Path, default=RESULTS, help="folder of results that a run is to have")
    doctor.add_argument("--plugin", nargs="+", action="extend", type=Path, default=[], metavar="FILE")
    doctor.set_defaults(command="doctor")

    report = commands.add_parser(
        "report", help="write the leaderboard anew from records, without running anything"
    )
    report.add_argument(
        "records", type=Path, nargs="?", default=RESULTS / "records", help="folder of records"
    )
    report.add_argument("--out", type=Path, help="folder of README.md (default: beside the records)")
    report.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write one page to sort, filter and look into, that needs no network; with --out: README.md too",
    )
    report.set_defaults(command="report")

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
    compare.set_defaults(command="compare")

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
    ci.set_defaults(command="ci")

    records = commands.add_parser(
        "check-records", help="records as submitted: schema, hash of the data, scores from raw predictions"
    )
    records.add_argument("records", type=Path, help="folder of records")
    records.set_defaults(command="check-records")

    pack = commands.add_parser("pack", help="records without raw predictions, many, into one file to commit")
    pack.add_argument("records", type=Path, nargs="+", help="folders of records")
    pack.add_argument(
        "bundle", type=Path, help="file to write, NAME.jsonl.xz; `report` reads it in a folder of records"
    )
    pack.set_defaults(command="pack")

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
    score.set_defaults(command="score")

    data = commands.add_parser("data", help="datasets: list, fetch, check, path")
    data.add_argument("action", choices=("list", "fetch", "check", "path"))
    data.add_argument("names", nargs="*", metavar="NAME")
    _add_keys(data)
    data.set_defaults(command="data")

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
    convert.set_defaults(command="convert")

    study = commands.add_parser(
        "study",
        help="linear: methods where the truth is known; propagation: cost and error beside real relaxations",
    )
    study.add_argument("name", choices=("linear", "propagation"))
    study.add_argument(
        "--repeats", type=int, default=200, metavar="N", help="draws of each case, or samples (default: 200)"
    )
    study.add_argument("--out", type=Path, default=RESULTS, help=f"folder of results (default: {RESULTS})")
    study.set_defaults(command="study")

    check = commands.add_parser("check", help="run a plugin against its contract and say what is wrong")
    check.add_argument("names", nargs="+", action="extend", metavar="NAME[:field=value,...]")
    check.add_argument("--plugin", nargs="+", action="extend", type=Path, default=[], metavar="FILE")
    check.set_defaults(command="check")

    new = commands.add_parser("new", help="write a commented template of a plugin")
    new.add_argument("kind", choices=("method", "task"))
    new.add_argument("name")
    new.add_argument("--folder", type=Path, default=Path(), help="where to (default: here)")
    new.set_defaults(command="new")
    return parser


def _bytes(text: str) -> int:
    """A size in bytes, of a number with or without one of the units kB, MB, GB, TB."""
    units = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
    unit = text[-2:].lower()
    size = float(text[:-2]) * units[unit] if unit in units else float(text)
    if not 0.0 < size < 1e18:
        raise ValueError(text)
    return int(size)


_bytes.__name__ = "size"  # which argparse's message names


def _add_keys(parser: argparse.ArgumentParser) -> None:
    for label in ("energy", "forces", "stress", "virial", "config-type"):
        parser.add_argument(f"--{label}-key", metavar="NAME", help=f"name of the {label} label in your files")
    parser.add_argument(
        "--cluster-key", metavar="NAME", help="frames of your files with equal values of it are never split"
    )
