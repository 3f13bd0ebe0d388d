"""The plan as a graph: what is prepared once, the fits that come after it, and how either is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from uqbench.api import Kind, LinearBackbone, LinearMethod, Origin, Weights
from uqbench.backbones.parts import Part
from uqbench.backbones.store import Store
from uqbench.data.dataset import Dataset
from uqbench.data.split import Split, make_split
from uqbench.registry import Registry
from uqbench.spec import Spec
from uqbench.suite.fit import run_job
from uqbench.suite.isolated import Say, run_isolated
from uqbench.suite.job import Job, write_failure
from uqbench.suite.plan import Fit, content_key, mismatch, source_hash
from uqbench.suite.prepare import prepare


@dataclass(frozen=True)
class Limits:
    """What a fit may take: seconds, and bytes of memory (None: what there is)."""

    seconds: float
    memory: int | None = None


@dataclass(frozen=True)
class Settings:
    """Where and how a plan is run. timeout: seconds a fit. workers: processes for design rows. trust, store: of a Job.

    weights: likewise. memory: bytes a fit may hold; None for as much as there is.
    """

    out: Path
    cache: Path
    plugins: tuple[Path, ...]
    scales: Mapping[Kind, float]
    held_out: tuple[str, ...] | None
    timeout: float
    workers: int
    fresh: bool
    trust: bool = False
    store: Store | None = None
    memory: int | None = None
    weights: Weights = "evidence"

    @property
    def limits(self) -> Limits:
        """Of a fit."""
        return Limits(self.timeout, self.memory)

    @property
    def records(self) -> Path:
        """Folder of the records."""
        return self.out / "records"


ROWS, NETWORKS = "design rows", "networks"


@dataclass(frozen=True)
class Node:
    """A fit to carry out. number: its place in the plan, from 1.

    needs: names the rows or networks that are prepared before it, for all that share them; empty where it shares
    none. what: ROWS or NETWORKS. parts: of what it needs; see prepare.
    """

    number: int
    job: Job
    needs: tuple[object, ...]
    what: str
    parts: tuple[Part, ...] = ()


class Layout:
    """Makes nodes of fits; what many of them share is read, split and hashed once."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        load: Callable[[str], Dataset],
        step: Callable[[str], None],
    ) -> None:
        self.settings, self.registry, self.step = settings, registry, step
        self._load = load
        self._datasets: dict[str, tuple[Dataset, str]] = {}
        self._splits: dict[tuple[str, int, float], Split] = {}
        self._scales = {str(k): v for k, v in settings.scales.items()}
        self._origins = cache(self._origins_of)
        self._sources = cache(self._source_hash)

    def node(self, number: int, fit: Fit) -> Node:
        """The node of a fit. Raises UqbenchError if its dataset cannot be loaded or split."""
        part = (fit.dataset, fit.seed, fit.train_size)
        if part not in self._splits:
            self._splits[part] = make_split(
                self._dataset(fit.dataset)[0], fit.seed, fit.train_size, held_out=self.settings.held_out
            )
        job = self._job(fit, self._splits[part])
        rows = issubclass(self.registry.backbones[fit.backbone.name], LinearBackbone)
        return Node(number, job, self._shared(fit), ROWS if rows else NETWORKS)

    def _dataset(self, name: str) -> tuple[Dataset, str]:
        """A dataset and what records call it."""
        if name not in self._datasets:
            self.step("reading")
            dataset = self._load(name)
            self._datasets[name] = dataset, dataset.known_as
        return self._datasets[name]

    def _job(self, fit: Fit, split: Split) -> Job:
        dataset, known_as = self._dataset(fit.dataset)
        origins = self._origins(fit.backbone)
        backbone_known_as = fit.backbone.text({o.given: o.known_as for o in origins})
        fit = replace(fit, known_as=known_as, backbone_known_as=backbone_known_as)
        references = (dataset.card.energy_references or {}) if dataset.card else {}
        keys = {
            task: content_key(
                fit.cell(task),
                dataset.data_hash,
                split.hash,
                self._sources(fit.method.name, fit.backbone, task),
                self._scales,
                references,
                self.settings.weights,
            )
            for task in fit.tasks
        }
        return Job(
            fit,
            dataset,
            split,
            self.settings.scales,
            keys,
            self.settings.plugins,
            self.settings.cache,
            self.settings.records,
            self.settings.trust,
            self.settings.store,
            weights=self.settings.weights,
        )

    def _origins_of(self, backbone: Spec) -> tuple[Origin, ...]:
        return tuple(backbone.build(self.registry, "backbones").origins())

    def _source_hash(self, method: str, backbone: Spec, task: str) -> str:
        registry = self.registry
        classes = [registry.methods[method], registry.backbones[backbone.name], registry.tasks[task]]
        return source_hash(classes, self._origins(backbone))

    def _shared(self, fit: Fit) -> tuple[object, ...]:
        linear = issubclass(self.registry.methods[fit.method.name], LinearMethod)
        if not linear or mismatch(fit.method, fit.backbone, self.registry):
            return ()
        if issubclass(self.registry.backbones[fit.backbone.name], LinearBackbone):
            return (fit.dataset, fit.backbone)
        # Networks are those of the training parts of a split.
        return (fit.dataset, fit.backbone, fit.seed, fit.train_size, fit.device)


def run_prepare(node: Node, workers: int, logs: Path, limits: Limits, say: Say) -> str:
    """What all that share it need of a node, into the cache; why not, if that fails. workers: processes for rows.

    The limit of memory is that of a fit, not of these processes together.
    """
    log = logs / f"{node.job.fit.cell('rows').file_stem}.log"
    failure = run_isolated(prepare, (node.job, workers, node.parts), log, limits.seconds, say)
    return f"{node.what}: {failure}" if failure else ""


def run_fit(node: Node, logs: Path, limits: Limits, say: Say) -> None:
    """The fit and its tasks, each of which ends in a record."""
    job = node.job
    before = _stamps(job)
    log = logs / f"{job.fit.cell('fit').file_stem}.log"
    failure = run_isolated(run_job, (job,), log, limits.seconds, say, limits.memory)
    if failure:
        written = _stamps(job)
        fail(job, failure, [task for task in job.fit.tasks if written[task] == before[task]])


def fail(job: Job, reason: str, tasks: Sequence[str]) -> None:
    """Record a failure for tasks of a job."""
    for task in tasks:
        write_failure(job, task, reason.splitlines()[0], reason)


def _stamps(job: Job) -> dict[str, Any]:
    """What tells by task whether a record is another one than before; no clock is compared."""
    found = {}
    for task in job.fit.tasks:
        try:
            state = job.path(task).stat()
            found[task] = (state.st_ino, state.st_mtime_ns, state.st_size)
        except FileNotFoundError:
            found[task] = None
    return found
