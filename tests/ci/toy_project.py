"""A project with a method of its own, as one has it in CI: a clone of a repository whose main branch has records."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
METHOD = '''"""Mine: the Bayesian error bar, widened."""

from dataclasses import dataclass

from uqbench.api import LinearMethod
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.posteriors import Gaussian

WIDENED = {widened}


@dataclass(frozen=True)
class Mine(LinearMethod):
    def fit(self, problem, rng):
        ridge = fit_ridge(problem)
        return Gaussian(ridge.mean, WIDENED * ridge.whitener, {{}}, ridge.facts)
'''
BACKBONE = '''"""Pairs: the pair potential that plugins are checked with."""

from dataclasses import dataclass

from uqbench.check.toy_backbone import ToyPairs


@dataclass(frozen=True)
class Pairs(ToyPairs):
    pass
'''
SUITE = """name: ours
datasets: [copper.xyz]
backbones: [pairs]
methods: [mine]
tasks: [forces]
devices: [cpu]
"""
ARGUMENTS = "--plugin mine.py pairs.py"
WHO = ["-c", "user.name=a", "-c", "user.email=a@b"]


def write_project(folder: Path, widened: float = 1.0) -> None:
    """Suite, method, backbone and data."""
    folder.mkdir(exist_ok=True)
    (folder / "ours.yaml").write_text(SUITE)
    (folder / "pairs.py").write_text(BACKBONE)
    write_method(folder, widened)
    write_copper(folder / "copper.xyz")


def write_method(folder: Path, widened: float) -> None:
    """The method, its error bars times a factor."""
    (folder / "mine.py").write_text(METHOD.format(widened=widened))


def write_copper(path: Path) -> None:
    """24 cells of four atoms labelled by effective-medium theory."""
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    rng = np.random.default_rng(0)
    frames = []
    for i in range(24):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.05 * rng.standard_normal((3, 3))), scale_atoms=True)
        atoms.rattle(0.2, rng=rng)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["config_type"] = f"group{i % 2}"
        frames.append(atoms)
    write(path, frames)


def run_suite(folder: Path, cache: Path, out: str) -> None:
    """As a project makes the records that it commits."""
    words = ["run", "--suite", "ours.yaml", "--out", out, *ARGUMENTS.split()]
    environment = {**os.environ, "UQBENCH_CACHE": str(cache)}
    subprocess.run([sys.executable, "-m", "uqbench", *words], cwd=folder, env=environment, check=True)


def git(folder: Path, *words: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(
        ["git", *WHO, *words], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def executable(path: Path, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
