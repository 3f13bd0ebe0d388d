"""One fit, from stored rows to records: fit every fold, predict, score, measure. Runs in a process of its own."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from uqbench.api import (
    Array,
    Frame,
    FrameTask,
    Kind,
    LinearBackbone,
    LinearMethod,
    NotApplicable,
    ParameterPosterior,
    PropertyTask,
    Task,
)
from uqbench.backbones.store import StoredRows, stored_rows
from uqbench.cost.contention import CONTENDED_CORES, OtherLoad
from uqbench.cost.machine import describe_machine, describe_software, machine_class
from uqbench.cost.memory import peak_resident_bytes, stored_bytes
from uqbench.cost.timing import interleaved, stopwatch
from uqbench.data.dataset import Dataset
from uqbench.data.material import material_of
from uqbench.data.split import Fold, Split
from uqbench.errors import UqbenchError
from uqbench.linear.arrays import Arrays
from uqbench.linear.model import LinearPosterior
from uqbench.linear.problem import build_problem
from uqbench.linear.references import fit_references
from uqbench.properties.kappa import error_ratios
from uqbench.registry import PLUGIN_MODULE, discover
from uqbench.spec import parse_spec
from uqbench.suite.plan import Fit
from uqbench.suite.properties import Kappa, property_parts, whole_pools
from uqbench.suite.raw import Evaluated, collect, to_npz
from uqbench.suite.record import (
    CellPart,
    DataPart,
    FailurePart,
    PropertyPart,
    Record,
    write_record,
)
from uqbench.suite.scoring import calibrate_all, score_tables

TIMED_STRUCTURES = 8
TIMED_REPEATS = 7
TIMED_SECONDS = 10.0


@dataclass(frozen=True)
class Job:
    """All that a process needs to carry out a fit; keys: content_key of each task's cell."""

    fit: Fit
    dataset: Dataset
    split: Split
    scales: Mapping[Kind, float]
    keys: Mapping[str, str]
    plugins: tuple[Path, ...]
    cache: Path
    records: Path


def blank_record(job: Job, task: str, status: str, **fields: Any) -> Record:
    """A record of the task's cell with what is known before anything ran."""
    dataset, split = job.dataset, job.split
    machine = describe_machine()
    return Record(
        cell_id=job.fit.cell(task).cell_id,
        content_key=job.keys[task],
        status=status,  # pyright: ignore[reportArgumentType]
        cell=CellPart(**vars(job.fit.cell(task))),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=DataPart(
            hash=dataset.data_hash,
            elements=list(dataset.elements),
            n_structures=len(dataset.frames),
            n_clusters=len({f.cluster for f in dataset.frames}),
            split_scheme=split.scheme,
            split_hash=split.hash,
            folds=[
                {part: len(getattr(fold, part)) for part in ("train", "calibration", "test", "held_out")}
                for fold in split.folds
            ],
            held_out=sorted({dataset.frames[i].config_type for f in split.folds for i in f.held_out}),
        ),
        scales={str(kind): scale for kind, scale in job.scales.items()},
        machine=machine,
        machine_class=machine_class(machine, job.fit.device),
        software=describe_software(),
        **fields,
    )


def write_failure(job: Job, task: str, reason: str, trace: str) -> None:
    """Record that a cell has no result."""
    record = blank_record(job, task, "failed", failure=FailurePart(reason=reason, traceback=trace))
    write_record(job.records, job.fit.cell(task).file_stem, record, None)


def run_job(job: Job, say: Callable[[str], None]) -> None:
    """Fit every fold, evaluate every task, write one record a task.

    A task that fails is recorded and leaves the others alone; a fit that fails is recorded for all tasks.
    """
    try:
        _Run(job, say).all()
    except Exception as error:
        for task in job.fit.tasks:
            write_failure(job, task, _reason(error), traceback.format_exc())


def prepare_rows(job: Job, workers: int, say: Callable[[str], None]) -> None:
    """Design rows of the whole dataset, into the cache; says "done total" as it goes. Raises UqbenchError."""
    backbone = job.fit.backbone.build(discover(job.plugins), "backbones")
    if not isinstance(backbone, LinearBackbone):
        return
    # A plugin given by its file cannot be imported by worker processes.
    workers = 1 if type(backbone).__module__.startswith(PLUGIN_MODULE) else workers
    structures = [f.atoms for f in job.dataset.frames]
    stored_rows(
        backbone,
        structures,
        job.dataset.elements,
        job.cache,
        workers,
        lambda done, total: say(f"{done} {total}"),
    )


@dataclass(frozen=True)
class _Fitted:
    """One fit of a run: on a fold's training part, or on the pool."""

    posterior: LinearPosterior
    facts: dict[str, float | str]
    seconds: dict[str, float]


class _Run:
    """The state of one fit while it runs."""

    def __init__(self, job: Job, say: Callable[[str], None]) -> None:
        registry = discover(job.plugins)
        self.job, self.say = job, say
        self.frames: Sequence[Frame] = job.dataset.frames
        self.elements = job.dataset.elements
        backbone = job.fit.backbone.build(registry, "backbones")
        method = job.fit.method.build(registry, "methods")
        if not isinstance(backbone, LinearBackbone) or not isinstance(method, LinearMethod):
            raise UqbenchError(f"{job.fit.method.name} does not run on {job.fit.backbone.name}.")
        self.backbone, self.method = backbone, method
        self.arrays = Arrays(job.fit.device)
        tasks: dict[str, Task] = {
            t: parse_spec(t, registry, "tasks").build(registry, "tasks")  # pyright: ignore[reportAssignmentType]
            for t in job.fit.tasks
        }
        self.frame_tasks = {t: task for t, task in tasks.items() if isinstance(task, FrameTask)}
        self.property_tasks = {t: task for t, task in tasks.items() if isinstance(task, PropertyTask)}
        self.rows: StoredRows = stored_rows(
            backbone, [f.atoms for f in self.frames], self.elements, job.cache
        )
        self.pieces: dict[str, list[Evaluated]] = {t: [] for t in self.frame_tasks}
        self.properties: dict[str, list[PropertyPart]] = {t: [] for t in self.property_tasks}
        self.failures: dict[str, tuple[str, str, str]] = {}
        self.folds: list[_Fitted] = []
        self.pools: list[_Fitted] = []
        self.predict_cost: dict[str, Any] = {}

    def all(self) -> None:
        before = peak_resident_bytes()
        others = OtherLoad()
        ratios: list[Array] = []
        for number, fold in enumerate(self.job.split.folds):
            self.say(f"fit {number + 1}/{len(self.job.split.folds)}")
            self.folds.append(self._fit(number, fold))
            posterior = self.folds[-1].posterior
            self.say(f"predict {number + 1}/{len(self.job.split.folds)}")
            for task in self.frame_tasks:
                self._evaluate(task, posterior, number, fold)
            if self.property_tasks:
                unseen = [self.frames[i] for i in fold.calibration]
                ratios.append(error_ratios(posterior, unseen, self.job.fit.seed))
            if number == 0 and self.frame_tasks:
                self.say("time")
                self.predict_cost = self._time(posterior, fold)
        if self.property_tasks:
            self._properties(np.concatenate(ratios))
        self.say("score")
        cost = {
            "predict": self.predict_cost,
            "peak_resident_bytes": peak_resident_bytes(),
            "resident_bytes_before": before,
            "peak_device_bytes": self.arrays.peak_bytes(),
            "other_load_cores": (load := others.cores()),
            "contended": load > CONTENDED_CORES,
        }
        for task in self.job.fit.tasks:
            self._write(task, cost)

    def _fit(self, number: int, fold: Fold) -> _Fitted:
        train = [self.frames[i] for i in fold.train]
        card = self.job.dataset.card
        references = dict(card.energy_references) if card and card.energy_references else None
        references = references or fit_references(train, self.elements)
        problem = build_problem(
            train,
            lambda i: self.rows.rows(int(fold.train[i])),
            self.job.scales,
            references,
            self.job.fit.device,
        )
        rng = np.random.default_rng([self.job.fit.seed, number])
        with stopwatch(self.arrays.synchronise) as elapsed:
            parameters = self.method.fit(problem, rng)
        if not isinstance(parameters, ParameterPosterior):
            raise UqbenchError(
                f"{self.job.fit.method.name}.fit returned {type(parameters).__name__}, not a ParameterPosterior."
            )
        posterior = LinearPosterior(self.backbone, self.elements, parameters, references, self.rows.lookup)
        seconds = {
            "wall_s": elapsed.wall,
            "cpu_s": elapsed.cpu,
            "rows_cpu_s": float(self.rows.structure_seconds[fold.train].sum()),
            "posterior_bytes": stored_bytes(parameters),
        }
        return _Fitted(posterior, dict(parameters.facts), seconds)

    def _properties(self, ratios: Array) -> None:
        """Every property task with the fits on the whole pool; κ from what the folds' fits had not seen."""
        kappa = Kappa.of(ratios)
        dataset = self.job.dataset
        for number, (trained_on, fold) in enumerate(whole_pools(dataset), len(self.folds)):
            self.say(f"fit {trained_on}")
            self.pools.append(self._fit(number, fold))
            for name, task in self.property_tasks.items():
                if name in self.failures:
                    continue
                self.say(f"{name}, {trained_on}")
                try:
                    for quantity in task.quantities(material_of(dataset.card, dataset.name)):
                        self.properties[name] += property_parts(
                            quantity,
                            self.pools[-1].posterior,
                            material_of(dataset.card, dataset.name),
                            trained_on,
                            kappa,
                            self.job.fit.seed,
                        )
                except NotApplicable as reason:
                    self.failures[name] = ("not applicable", str(reason), "")
                except Exception as error:
                    self.failures[name] = ("failed", _reason(error), traceback.format_exc())

    def _evaluate(self, task: str, posterior: LinearPosterior, number: int, fold: Fold) -> None:
        if task in self.failures:
            return
        try:
            for part in ("calibration", "test", "held_out"):
                chosen = getattr(fold, part)
                if len(chosen):
                    tables = self.frame_tasks[task].evaluate(posterior, [self.frames[i] for i in chosen])
                    self.pieces[task].append(Evaluated(number, part, np.asarray(chosen), tables))
        except NotApplicable as reason:
            self.failures[task] = ("not applicable", str(reason), "")
        except Exception as error:
            self.failures[task] = ("failed", _reason(error), traceback.format_exc())

    def _time(self, posterior: LinearPosterior, fold: Fold) -> dict[str, Any]:
        """Prediction from scratch (rows and all) beside the bare potential, on a few test structures."""
        spread = np.linspace(0, len(fold.test) - 1, min(TIMED_STRUCTURES, len(fold.test))).astype(int)
        structures = [self.frames[int(fold.test[i])].atoms for i in np.unique(spread)]
        n_atoms = sum(map(len, structures))
        fresh = LinearPosterior(
            self.backbone, self.elements, posterior.parameters, posterior.references, lambda atoms: None
        )
        calculator = self.backbone.potential(posterior.parameters.mean, self.elements)
        wanted = [["energy", "forces"] + ["stress"] * bool(a.pbc.all()) for a in structures]

        def bare() -> None:
            for atoms, properties in zip(structures, wanted, strict=True):
                calculator.calculate(atoms, properties)

        times = interleaved(
            {"bare": bare, "predict": lambda: fresh.predict(structures)},
            TIMED_REPEATS,
            TIMED_SECONDS,
            self.arrays.synchronise,
        )
        ratios = np.divide(times["predict"].seconds, times["bare"].seconds)
        cost: dict[str, Any] = {"n_structures": len(structures), "n_atoms": n_atoms}
        for name, repeats in times.items():
            cost[f"{name}_us_per_atom"] = 1e6 * repeats.median / n_atoms
            cost[f"{name}_us_per_atom_quartiles"] = [1e6 * q / n_atoms for q in repeats.quartiles]
            cost[f"{name}_cpu_us_per_atom"] = 1e6 * repeats.cpu_median / n_atoms
        low, high = np.percentile(ratios, [25, 75])
        return cost | {
            "ratio_to_bare": float(np.median(ratios)),
            "ratio_quartiles": [float(low), float(high)],
        }

    def _write(self, task: str, cost: dict[str, Any]) -> None:
        stem = self.job.fit.cell(task).file_stem
        if task in self.failures:
            status, reason, trace = self.failures[task]
            failure = FailurePart(reason=reason, traceback=trace)
            write_record(self.job.records, stem, blank_record(self.job, task, status, failure=failure), None)
            return
        fits = self.pools if task in self.property_tasks else self.folds
        shared: dict[str, Any] = {
            "references": [dict(f.posterior.references) for f in fits],
            "facts": [f.facts for f in fits],
        }
        rows_cpu = sum(f.seconds["rows_cpu_s"] for f in fits)
        total = rows_cpu + sum(f.seconds["cpu_s"] for f in fits)
        atoms = sum(len(f.atoms) for f in self.frames)
        cost = cost | {
            "fit": [f.seconds for f in fits],
            "backbone": {"train_rows_cpu_s": rows_cpu, "us_per_atom": 1e6 * self.rows.seconds / atoms},
        }
        if task in self.property_tasks:
            cost["train_total_cpu_s"] = total
            record = blank_record(self.job, task, "ok", cost=cost, properties=self.properties[task], **shared)
            write_record(self.job.records, stem, record, None)
            return
        tables = collect(
            self.pieces[task], [f.config_type for f in self.frames], [f.cluster for f in self.frames]
        )
        # Scoring is many small products, which a second thread only slows.
        with threadpool_limits(1):
            with stopwatch() as calibrating:
                calibrations = calibrate_all(tables)
            with stopwatch() as scoring:
                found = score_tables(tables, calibrations)
        cost |= {
            "calibrate_wall_s": calibrating.wall,
            "calibrate_cpu_s": calibrating.cpu,
            "score_wall_s": scoring.wall,
            "train_total_cpu_s": total + calibrating.cpu,
        }
        record = blank_record(self.job, task, "ok", cost=cost, **shared, **found)
        write_record(self.job.records, stem, record, to_npz(tables))


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, UqbenchError) else f"{type(error).__name__}: {error}"
