"""A small suite that takes seconds, for tests that disturb it: two cheap methods on pairs, without LAMMPS."""

import json
import os
import subprocess
import sys
from pathlib import Path

from emt_copper import write_copper

BACKBONE = '''"""Pairs, as a backbone."""
from dataclasses import dataclass
from uqbench.check.toy_backbone import ToyPairs


@dataclass(frozen=True)
class Pairs(ToyPairs):
    """As it is."""
'''
METHOD = '''"""A method that is there to go wrong."""
from dataclasses import dataclass
import os, random, signal, subprocess, sys, threading, time, warnings
import numpy as np
from uqbench.api import LinearMethod
from uqbench_methods.llpr import Llpr


@dataclass(frozen=True)
class Plugin(LinearMethod):
    def fit(self, problem, rng):
        def good():
            return Llpr().fit(problem, rng)
{body}
'''
METHODS = ("constant", "llpr")


def make_place(folder: Path, n: int = 24) -> Path:
    """A folder with copper.xyz, labelled by effective-medium theory, and the backbone."""
    write_copper(folder / "copper.xyz", n)
    (folder / "pairs.py").write_text(BACKBONE)
    return folder


def add_method(place: Path, name: str, body: str) -> str:
    """A plugin whose fit has this body; good() is what a sound method would give."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    (place / f"{name}.py").write_text(METHOD.format(body=lines))
    return name


def command(place, out, *more, methods=METHODS):
    plugins = [str(place / f"{m}.py") for m in methods if (place / f"{m}.py").exists()]
    return [
        *(sys.executable, "-m", "uqbench", "run", "--dataset", str(place / "copper.xyz"), "--out", str(out)),
        *("--backbone", "pairs", "--task", "forces", "--device", "cpu", "--method", *methods),
        *("--plugin", str(place / "pairs.py"), *plugins, *more),
    ]


def environment(place, **more):
    return {**os.environ, "UQBENCH_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1", **more}


def run(place, out, *more, methods=METHODS, cwd=None, **variables):
    return subprocess.run(
        command(place, out, *more, methods=methods),
        env=environment(place, **variables),
        capture_output=True,
        text=True,
        timeout=600,
        cwd=cwd or place,
    )


def records(out):
    """By method."""
    found = [json.loads(p.read_text()) for p in sorted((Path(out) / "records").glob("*.json"))]
    return {r["cell"]["method"]: r for r in found}


def results(out):
    """What must be the same however a run came about: by method, scores and the hash of raw predictions."""
    return {m: (r["status"], r["scores"], r["groups"], r["raw"]) for m, r in records(out).items()}


def hidden(folder):
    """Files of the folder that are in nobody's way, and should not be there."""
    return sorted(p.name for p in Path(folder).rglob(".*"))
