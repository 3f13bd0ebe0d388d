"""What implicit differentiation costs and errs beside real relaxations, against the size of the cell.

The vacancy of the embedded aluminium with a SNAP and the samples of POPS's box. Processor seconds: of one process,
fair on a machine that others use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from uqbench.api import Array
from uqbench.backbones.snap import Snap
from uqbench.backbones.store import stored_rows
from uqbench.cost.timing import stopwatch
from uqbench.data.dataset import load_dataset
from uqbench.linear.box import Box
from uqbench.linear.corrections import PointwiseCorrections
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.problem import build_problem
from uqbench.linear.references import fit_references
from uqbench.properties.crystal import Crystal
from uqbench.properties.lattice import CONSTANTS, cubic_constants, lattice_constant
from uqbench.properties.lattice_table import LatticeTable
from uqbench.properties.resampling import potentials, resample
from uqbench.properties.vacancy import vacancy_energy
from uqbench.properties.vacancy_tables import VacancyTables
from uqbench.suite.config import Scales

SIZES = {2: 40, 3: 10, 4: 5}
"""Supercells of n × n × n conventional cells, and how many samples are really relaxed in each."""
ELEMENTS = ("Al",)


@dataclass(frozen=True)
class Carried:
    """snap, mean (P,), samples (n, P), and the crystal at the mean's lattice constant."""

    snap: Snap
    mean: Array
    samples: Array
    crystal: Crystal


@dataclass(frozen=True)
class Way:
    """One way to a property: processor seconds before the first sample and a sample; rms error over the spread."""

    name: str
    set_up: float
    per_sample: float
    error: float
    accepted: float


@dataclass(frozen=True)
class Size:
    """All ways for one cell; per_real: processor seconds of a real computation."""

    what: str
    n_atoms: int
    per_real: float
    ways: tuple[Way, ...]


def aluminium(n_samples: int) -> Carried:
    """POPS's exact box fitted to the embedded set, without the vacancy's relaxation path."""
    snap, dataset = Snap(), load_dataset("al")
    frames = [frame for frame in dataset.frames if frame.config_type != "vac31_sym"]
    with TemporaryDirectory(prefix="uqbench-study-") as folder:
        rows = stored_rows(snap, [frame.atoms for frame in frames], ELEMENTS, Path(folder))
        problem = build_problem(frames, rows.rows, Scales().by_kind(), fit_references(frames, ELEMENTS))
        box = Box.around(PointwiseCorrections.of(problem, fit_ridge(problem)), percentile=0.0)
    crystal = Crystal("fcc", "Al", 4.0414)
    crystal = crystal.at(lattice_constant(crystal, snap.potential(box.mean, ELEMENTS)))
    return Carried(snap, box.mean, box.samples(n_samples, np.random.default_rng(1)), crystal)


def sizes(carried: Carried, wanted: dict[int, int]) -> Iterator[Size]:
    """Vacancy energies at fixed cell, one size after the other, then lattice and elastic constants."""
    for n, n_real in wanted.items():
        yield _vacancy(carried, n, n_real)
    yield _constants(carried, next(iter(wanted.values())))


def _vacancy(carried: Carried, n: int, n_real: int) -> Size:
    crystal = Crystal("fcc", "Al", carried.crystal.a, (n, n, n))
    samples = carried.samples[:n_real]
    real, per_real = _timed(
        lambda: resample(
            ("e",),
            lambda potential: {"e": vacancy_energy(crystal, potential).relaxed},
            potentials(carried.snap, ELEMENTS, samples),
        ).of("e")
    )
    tables, set_up = _timed(lambda: VacancyTables.about(carried.snap, ELEMENTS, crystal, carried.mean))
    everything, all_free = _timed(lambda: tables.without_evaluations(carried.samples))
    gated, all_gated = _timed(lambda: tables.gated(samples))
    free = everything[:n_real]
    ways = (
        Way(
            "no evaluation", set_up, all_free / len(everything), _error(free, real), np.isfinite(free).mean()
        ),
        Way(
            "one evaluation, gated",
            set_up,
            all_gated / n_real,
            _error(gated.result.values[:, 0], real),
            float(gated.accepted.mean()),
        ),
    )
    return Size("vacancy formation energy", len(crystal.vacancy()), per_real / n_real, ways)


def _constants(carried: Carried, n_real: int) -> Size:
    samples, crystal = carried.samples[:n_real], carried.crystal
    real, per_real = _timed(
        lambda: resample(
            CONSTANTS,
            lambda potential: cubic_constants(crystal, potential),
            potentials(carried.snap, ELEMENTS, samples),
        )
    )
    table, set_up = _timed(lambda: LatticeTable.about(carried.snap, ELEMENTS, crystal, carried.snap.kink()))
    found, seconds = _timed(lambda: table.constants(carried.samples))
    error = max(_error(found.of(name)[:n_real], real.of(name)) for name in CONSTANTS)
    way = Way("table in a", set_up, seconds / len(carried.samples), error, float(found.ok.mean()))
    return Size("lattice and elastic constants", 1, per_real / n_real, (way,))


def _error(found: Array, real: Array) -> float:
    both = np.isfinite(found) & np.isfinite(real)
    return float(np.sqrt(np.mean((found[both] - real[both]) ** 2)) / real[both].std())


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    with stopwatch() as elapsed:
        value = action()
    return value, elapsed.cpu
