"""One fit, from stored rows or networks to records: fit every fold, predict, score, measure. In its own process."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from uqbench.api import Array, Frame, FrameTask, NotApplicable, Posterior, PropertyTask, Task
from uqbench.cost.contention import CONTENDED_CORES, OtherLoad
from uqbench.cost.memory import peak_resident_bytes
from uqbench.cost.timing import interleaved, stopwatch
from uqbench.data.material import material_of
from uqbench.data.split import Fold
from uqbench.errors import UqbenchError
from uqbench.properties.kappa import error_ratios
from uqbench.raised import frame_in, line_of
from uqbench.registry import Registry, discover, source_files
from uqbench.spec import parse_spec
from uqbench.suite.fitter import Fitted
from uqbench.suite.fitters import make_fitter
from uqbench.suite.handed import handed_over
from uqbench.suite.job import LONGEST_TRACEBACK, Job, blank_record, reason_of, write_failure
from uqbench.suite.kept import globals_kept
from uqbench.suite.prepare import folds_of
from uqbench.suite.properties import Kappa, property_parts, whole_pools
from uqbench.suite.raw import Evaluated, collect, to_npz
from uqbench.suite.record import PropertyPart, write_record
from uqbench.suite.scoring import calibrate_all, score_tables

TIMED_STRUCTURES = 8
TIMED_REPEATS = 7
TIMED_SECONDS = 10.0


def run_job(job: Job, say: Callable[[str], None]) -> None:
    """Fit every fold, evaluate every task, write one record a task.

    A task that fails is recorded and leaves the others alone; a fit that fails, or a method that the backbone
    cannot carry, is recorded for all tasks, its traceback in the log too. Raises UqbenchError for a plugin that cannot
    be imported.
    """
    # Where a method goes to must not be where the records go.
    job = replace(job, records=job.records.absolute(), cache=job.cache.absolute())
    registry = discover(job.plugins)
    sources = source_files(registry.methods[job.fit.method.name])
    try:
        _Run(job, say, registry, sources).all()
    except NotApplicable as reason:
        for task in job.fit.tasks:
            write_failure(job, task, str(reason), "", "not applicable")
    except Exception as error:
        reason, trace = _told(error, sources)
        for task in job.fit.tasks:
            write_failure(job, task, reason, trace)


def _told(error: Exception, sources: Collection[Path]) -> tuple[str, str]:
    """Why there is no result, with the line of the method that led to it; and the traceback, printed into the log too.

    What uqbench says itself is a sentence that needs no line.
    """
    trace = traceback.format_exc()[-LONGEST_TRACEBACK:]
    print(trace, file=sys.stderr)
    frame = None if isinstance(error, UqbenchError) else frame_in(sources, error)
    return reason_of(error) + (f" ({line_of(frame)})" if frame else ""), trace


class _Run:
    """The state of one fit while it runs."""

    def __init__(
        self, job: Job, say: Callable[[str], None], registry: Registry, sources: Collection[Path]
    ) -> None:
        self.job, self.say, self.sources = job, say, sources
        self.frames: Sequence[Frame] = job.dataset.frames
        tasks: dict[str, Task] = {
            t: parse_spec(t, registry, "tasks").build(registry, "tasks")  # pyright: ignore[reportAssignmentType]
            for t in job.fit.tasks
        }
        self.frame_tasks = {t: task for t, task in tasks.items() if isinstance(task, FrameTask)}
        self.property_tasks = {t: task for t, task in tasks.items() if isinstance(task, PropertyTask)}
        self.fitter = make_fitter(job, registry, say)
        self.pieces: dict[str, list[Evaluated]] = {t: [] for t in self.frame_tasks}
        self.properties: dict[str, list[PropertyPart]] = {t: [] for t in self.property_tasks}
        self.failures: dict[str, tuple[str, str, str]] = {}
        self.incomplete: dict[str, str] = {}
        self.folds: list[Fitted] = []
        self.pools: list[Fitted] = []
        self.predict_cost: dict[str, Any] = {}

    def all(self) -> None:
        before = peak_resident_bytes()
        others = OtherLoad()
        ratios: list[Array] = []
        for number, (name, fold) in enumerate(folds_of(self.job)):
            self.say(f"fit {name}")
            with globals_kept():
                fitted = self.fitter.fit(number, fold, name)
            self.folds.append(fitted)
            self.say(f"predict {name}")
            for task in self.frame_tasks:
                self._evaluate(task, fitted.posterior, number, fold)
            if self.property_tasks:
                unseen = handed_over([self.frames[i] for i in fold.calibration])
                with globals_kept():
                    ratios.append(error_ratios(fitted.posterior, unseen, self.job.fit.seed))
            if number == 0 and self.frame_tasks:
                self.say("time")
                with globals_kept():
                    self.predict_cost = self._time(fitted, fold)
        if self.property_tasks:
            self._properties(np.concatenate(ratios))
        self.say("score")
        # Networks count as they did when they were trained, here or before.
        trainings = [training for fitted in (*self.folds, *self.pools) for training in fitted.trainings]
        load = max(others.cores(), *(t.other_load_cores for t in trainings), 0.0)
        cost = {
            "predict": self.predict_cost,
            "peak_resident_bytes": max(peak_resident_bytes(), *(t.peak_resident_bytes for t in trainings), 0),
            "resident_bytes_before": before,
            "peak_device_bytes": self.fitter.arrays.peak_bytes(),
            "other_load_cores": load,
            "contended": load > CONTENDED_CORES or self.job.beside_others,
        }
        for task in self.job.fit.tasks:
            # What cannot be scored or kept is a failure of that task alone.
            try:
                self._write(task, cost)
            except Exception as error:
                write_failure(self.job, task, *_told(error, self.sources))

    def _properties(self, ratios: Array) -> None:
        """Every property task with the fits on the whole pool; κ from what the folds' fits had not seen.

        What goes wrong without a withheld group leaves the results of the whole pool as they are, and is a fact.
        """
        kappa = Kappa.of(ratios)
        for number, (trained_on, fold) in enumerate(whole_pools(self.job.dataset), len(self.folds)):
            self.say(f"fit {trained_on}")
            try:
                with globals_kept():
                    self.pools.append(self.fitter.fit(number, fold, trained_on))
            except Exception as error:
                if not self.pools:
                    raise
                self.incomplete[trained_on] = reason_of(error)
                continue
            for name, task in self.property_tasks.items():
                if name in self.failures:
                    continue
                self.say(f"{name}, {trained_on}")
                try:
                    with globals_kept():
                        self.properties[name] += self._parts(task, trained_on, kappa)
                except Exception as error:
                    if self.properties[name]:
                        self.incomplete[f"{name}, {trained_on}"] = reason_of(error)
                    elif isinstance(error, NotApplicable):
                        self.failures[name] = ("not applicable", str(error), "")
                    else:
                        self.failures[name] = ("failed", *_told(error, self.sources))

    def _parts(self, task: PropertyTask, trained_on: str, kappa: Kappa) -> list[PropertyPart]:
        dataset, posterior = self.job.dataset, self.pools[-1].posterior
        material = material_of(dataset.card, dataset.name)
        return [
            part
            for quantity in task.quantities(material)
            for part in property_parts(quantity, posterior, material, trained_on, kappa, self.job.fit.seed)
        ]

    def _evaluate(self, task: str, posterior: Posterior, number: int, fold: Fold) -> None:
        if task in self.failures:
            return
        try:
            for part in ("calibration", "test", "held_out"):
                chosen = getattr(fold, part)
                if len(chosen):
                    frames = handed_over([self.frames[i] for i in chosen])
                    with globals_kept():
                        tables = self.frame_tasks[task].evaluate(posterior, frames)
                    self.pieces[task].append(Evaluated(number, part, np.asarray(chosen), tables))
        except NotApplicable as reason:
            self.failures[task] = ("not applicable", str(reason), "")
        except Exception as error:
            self.failures[task] = ("failed", *_told(error, self.sources))

    def _time(self, fitted: Fitted, fold: Fold) -> dict[str, Any]:
        """Prediction from scratch (rows and all) beside the bare potential, on a few test structures."""
        spread = np.linspace(0, len(fold.test) - 1, min(TIMED_STRUCTURES, len(fold.test))).astype(int)
        timed = handed_over([self.frames[int(fold.test[i])] for i in np.unique(spread)])
        structures = [frame.atoms for frame in timed]
        n_atoms = sum(map(len, structures))
        bare = fitted.bare()
        times = interleaved(
            {
                "bare": lambda: bare(structures),
                "predict": lambda: fitted.fresh.predict(structures),
            },
            TIMED_REPEATS,
            TIMED_SECONDS,
            self.fitter.arrays.synchronise,
        )
        ratios = np.divide(times["predict"].seconds, times["bare"].seconds)
        cost: dict[str, Any] = {
            "n_structures": len(structures),
            "n_atoms": n_atoms,
            "repeats": len(times["bare"].seconds),
        }
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
        if task in self.failures:
            status, reason, trace = self.failures[task]
            write_failure(self.job, task, reason, trace, status)
            return
        stem = self.job.fit.cell(task).file_stem
        fits = self.pools if task in self.property_tasks else self.folds
        shared: dict[str, Any] = {
            "references": [dict(f.references) for f in fits],
            "facts": [f.facts for f in fits]
            + ([self.incomplete] if fits is self.pools and self.incomplete else []),
        }
        parts = ("rows_cpu_s", "network_cpu_s", "network_wall_s")
        backbone = {f"train_{p}": sum(f.seconds[p] for f in fits) for p in parts if p in fits[0].seconds}
        if (rows_time := fits[0].rows_us_per_atom) is not None:
            backbone["us_per_atom"] = rows_time
        shared_cpu = backbone["train_rows_cpu_s"] + backbone.get("train_network_cpu_s", 0.0)
        total = shared_cpu + sum(f.seconds["cpu_s"] for f in fits)
        cost = cost | {"fit": [f.seconds for f in fits], "backbone": backbone}
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
