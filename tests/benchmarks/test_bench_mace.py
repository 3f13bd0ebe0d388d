"""What uncertainty of networks costs: ensembles and rows of the last layer beside one network, and beside mace's own.

Run with: pytest tests/benchmarks/test_bench_mace.py --benchmark-only -s
"""

from importlib.util import find_spec

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

if find_spec("mace") is None:
    pytest.skip("needs mace-torch", allow_module_level=True)

from uqbench.api import Ensemble
from uqbench.backbones.mace.config import MaceConfig
from uqbench.backbones.mace.model import Normalisation, build_network
from uqbench.backbones.mace.quiet import mace_parts
from uqbench.backbones.mace.trained import TrainedMace
from uqbench.cost.timing import interleaved

CONFIG = MaceConfig("tiny")
NORMALISATION = Normalisation(neighbours=54.0, scale=0.7, shift=-0.3)
REPEATS, SECONDS = 5, 120.0


def network(seed: int) -> TrainedMace:
    """Size tiny with random weights."""
    made = build_network(CONFIG, ("Al",), {"Al": 0.0}, NORMALISATION, seed)
    state = {name: weight.detach().numpy() for name, weight in made.named_parameters()}
    return TrainedMace(CONFIG, ("Al",), {"Al": 0.0}, NORMALISATION, state)


@pytest.fixture(scope="module")
def members() -> list[TrainedMace]:
    mace_parts()
    import torch

    torch.set_num_threads(1)
    return [network(seed) for seed in range(5)]


@pytest.fixture(scope="module")
def structures() -> list[Atoms]:
    """Six rattled cells of 32 aluminium atoms."""
    found = []
    for seed in range(6):
        atoms = bulk("Al", cubic=True) * (2, 2, 2)
        atoms.rattle(0.1, seed=seed)
        found.append(atoms)
    return found


def ratios(benchmark, work, others):
    """Time of work beside the others, interleaved: median of the ratios."""
    times = interleaved({"work": work, **others}, REPEATS, SECONDS, lambda: None)
    benchmark.pedantic(work, rounds=1)
    for name in others:
        ratio = np.median(np.divide(times["work"].seconds, times[name].seconds))
        benchmark.extra_info[f"times {name}"] = float(ratio)
    print(benchmark.extra_info)


@pytest.mark.benchmark(group="mace ensemble, 6 x 32 atoms")
def test_bench_ensemble(benchmark, members, structures):
    """Five members in batches, beside one structure by structure, one in batches, and mace's own
    committee. Goal: at most 3.5 of the first."""
    import torch
    from mace.calculators import MACECalculator

    ensemble = Ensemble(tuple(members), "cpu", {})
    one = members[0].calculator()
    before = torch.get_default_dtype()
    try:
        own = [member.own_network() for member in members]
        committee = MACECalculator(models=own, device="cpu", default_dtype="float64")

        def theirs():
            for atoms in structures:
                committee.calculate(atoms)

        theirs()
    finally:
        torch.set_default_dtype(before)
    ratios(
        benchmark,
        lambda: ensemble.predict(structures),
        {
            "one, structure by structure": lambda: [one.calculate(atoms) for atoms in structures],
            "one member in batches": lambda: members[0].predict(structures),
            "mace's committee": theirs,
        },
    )


@pytest.mark.benchmark(group="mace rows, 6 x 32 atoms")
def test_bench_rows(benchmark, members, structures):
    """Design rows of 32 weights beside one force call a structure. Goal: at most 8 of these."""
    bare = members[0].calculator()
    ratios(
        benchmark,
        lambda: list(members[0].rows(structures)),
        {"bare": lambda: [bare.calculate(atoms) for atoms in structures]},
    )
