"""A suite of seconds without LAMMPS: pairs in copper that effective-medium theory labels, and methods that go wrong."""

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from uqbench.data.dataset import load_dataset
from uqbench.registry import discover
from uqbench.spec import parse_spec
from uqbench.suite.execute import Settings, execute
from uqbench.suite.plan import Fit

BACKBONE = '''"""Pairs, as a plugin."""
from dataclasses import dataclass
from uqbench.check.toy_backbone import ToyPairs


@dataclass(frozen=True)
class Pairs(ToyPairs):
    distributions = ()
'''
METHOD = '''"""A method for tests."""
import os, signal
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from uqbench.api import LinearMethod
from uqbench_methods.constant import Constant


@dataclass(frozen=True)
class Plugin(LinearMethod):
    def fit(self, problem, rng):
        {body}
        return Constant().fit(problem, rng)
'''
KILL = "os.kill(parent_process().pid, signal.SIGKILL); import time; time.sleep(60)"


@dataclass
class Said:
    """A display that remembers."""

    outcomes: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    def rows(self, done, total):
        pass

    def start(self, number, total, label):
        pass

    def step(self, text):
        pass

    def note(self, text):
        self.notes.append(text)

    def finish(self, label, outcome, seconds):
        self.outcomes[label.split()[2]] = outcome


@dataclass
class SmallRun:
    """A plan of methods on one dataset, in a folder."""

    folder: Path
    methods: tuple
    plugins: tuple = ()
    seeds: tuple = (0,)
    said: Said = field(default_factory=Said)
    more: dict = field(default_factory=dict)

    def __post_init__(self):
        self.registry = discover(self.plugins)
        self.load = cache(lambda name: load_dataset(name))
        scales = {"energy": 0.005, "forces": 0.1, "stress": 0.005}
        self.settings = Settings(
            self.folder / "out",
            self.folder / "cache" / "rows",
            self.plugins,
            scales,
            None,
            120.0,
            1,
            False,
            **self.more,
        )

    def plan(self, dataset):
        return [
            Fit(
                str(dataset),
                parse_spec("pairs", self.registry, "backbones"),
                parse_spec(method, self.registry, "methods"),
                ("forces",),
                1.0,
                seed,
                "cpu",
            )
            for seed in self.seeds
            for method in self.methods
        ]

    def execute(self, dataset, crew=None):
        """Records by method and seed."""
        records = execute(
            self.plan(dataset),
            self.settings,
            self.registry,
            self.load,
            self.said,
            crew and crew(self.settings, self.said),
        )
        return {(r.cell.method, r.cell.seed): r for r in records}


def write_plugins(folder, **bodies):
    """The backbone `pairs`, and a method of each body."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pairs.py").write_text(BACKBONE)
    for name, body in bodies.items():
        (folder / f"{name}.py").write_text(METHOD.format(body=body))
    return tuple(folder / f"{name}.py" for name in ("pairs", *bodies))


def scores(records):
    """What is equal between two runs of the same cells."""
    return {cell: (r.status, r.scores, r.raw and r.raw.sha256, r.facts) for cell, r in records.items()}


def files(folder):
    return sorted(os.path.relpath(p, folder) for p in folder.rglob("*") if p.is_file())
