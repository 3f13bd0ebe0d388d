"""The synthetic study: all linear methods with their variants on draws of a family of cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np

from uqbench.api import Array, LinearMethod
from uqbench.errors import UqbenchError
from uqbench.processes import end_with_parent
from uqbench.registry import Registry
from uqbench.spec import make_spec
from uqbench.study.repeat import MEASURES, Trial, UnflooredEnsemble, run_repeat
from uqbench.study.synthetic import N_FEATURES, Case
from uqbench.suite.plan import missing_packages

FAMILIES = {"well specified": (0.1, 0.0), "mixed": (0.1, 0.1), "misspecified": (0.001, 0.1)}
"""Noise and misfit; in the last, labels are nearly noiseless as those of DFT are."""
ROWS_PER_FEATURE = (3, 10, 30, 100)
UNFLOORED = "pops ensemble, no floor"


@dataclass(frozen=True)
class Study:
    """values: (n_cases, n_repeats, n_methods, n_measures), nan where a method failed or gives no such thing.

    failures: why a method failed, the first time, by case and method.
    """

    cases: tuple[Case, ...]
    methods: tuple[str, ...]
    values: Array
    failures: dict[tuple[Case, str], str] = field(default_factory=dict)

    def of(self, case: Case, method: str, measure: str) -> tuple[float, float]:
        """Mean over repeats and its standard error; nan where there is nothing to average."""
        values = self.values[self.cases.index(case), :, self.methods.index(method), MEASURES.index(measure)]
        known = values[np.isfinite(values)]
        if len(known) < 2:
            return float("nan"), float("nan")
        return float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))

    def family(self, name: str) -> list[Case]:
        """The cases of a family, fewest rows first."""
        return [case for case in self.cases if case.name == name]


def all_cases() -> tuple[Case, ...]:
    """Every family with every number of rows."""
    return tuple(
        Case(name, ratio * N_FEATURES, noise, misfit)
        for name, (noise, misfit) in FAMILIES.items()
        for ratio in ROWS_PER_FEATURE
    )


def linear_trials(registry: Registry) -> list[Trial]:
    """All variants of the linear methods that can be used here, and the POPS ensemble as theory has it."""
    trials = []
    for name, cls in sorted(registry.methods.items()):
        if issubclass(cls, LinearMethod) and not missing_packages(cls):
            specs = [make_spec(name, parameters, registry, "methods") for parameters in cls.variants]
            trials += [Trial(str(spec), spec.build(registry, "methods")) for spec in specs]
    return [*trials, Trial(UNFLOORED, UnflooredEnsemble())]


def run_study(
    trials: Sequence[Trial],
    cases: Sequence[Case],
    repeats: int,
    workers: int,
    progress: Callable[[int, int], None],
) -> Study:
    """Fit and measure every trial on every repeat of every case; the same whatever the number of workers.

    progress(done, total) is called after every repeat. Raises UqbenchError for fewer than 2 repeats.
    """
    if repeats < 2:
        raise UqbenchError(f"repeats is {repeats}; at least 2 are needed for a standard error.")
    tasks = [(number, repeat) for number in range(len(cases)) for repeat in range(repeats)]
    values = np.empty((len(cases), repeats, len(trials), len(MEASURES)))
    failures: dict[tuple[Case, str], str] = {}
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker) as pool:
        try:
            found = pool.map(
                run_repeat,
                [cases[number] for number, _ in tasks],
                [trials] * len(tasks),
                tasks,
                chunksize=4,
            )
            for done, ((number, repeat), (measured, failed)) in enumerate(zip(tasks, found, strict=True), 1):
                values[number, repeat] = measured
                for method, reason in failed.items():
                    failures.setdefault((cases[number], method), reason)
                progress(done, len(tasks))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Study(tuple(cases), tuple(trial.name for trial in trials), values, failures)


def _start_worker() -> None:
    """Problems are small: a thread more only slows."""
    # Imported first, for threads can be limited only in libraries that are loaded; others read the variable.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    end_with_parent()
    threadpool_limits(1)
    os.environ["OMP_NUM_THREADS"] = "1"
