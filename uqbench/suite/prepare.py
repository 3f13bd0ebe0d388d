"""What fits share, made before the first of them: design rows, and networks with the rows of their last layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from uqbench.api import LinearBackbone, PropertyTask
from uqbench.backbones.parts import Part, join_parts, store_part
from uqbench.backbones.store import stored_rows
from uqbench.data.split import Fold
from uqbench.registry import PLUGIN_MODULE, Registry, discover
from uqbench.spec import parse_spec
from uqbench.suite.fitters import make_fitter
from uqbench.suite.job import Job
from uqbench.suite.network_fitters import LastLayerFitter
from uqbench.suite.properties import whole_pools


def prepare(job: Job, workers: int, parts: Sequence[Part], say: Callable[[str], None]) -> None:
    """What all linear methods on a backbone share, into the cache: design rows, and networks with their own.

    parts: of a linear backbone's structures: the one that is wanted, or several that are put together; all without.
    Says "done total" as rows of a linear backbone are done, else what networks are doing. Raises UqbenchError.
    """
    registry = discover(job.plugins)
    backbone = job.fit.backbone.build(registry, "backbones")
    if not isinstance(backbone, LinearBackbone):
        fitter = make_fitter(job, registry, say)
        if isinstance(fitter, LastLayerFitter):
            pools = whole_pools(job.dataset) if _asks_for_properties(job, registry) else ()
            for name, fold in [*folds_of(job), *pools]:
                fitter.layer(fold, name)
        return
    # A plugin given by its file cannot be imported by worker processes.
    workers = 1 if type(backbone).__module__.startswith(PLUGIN_MODULE) else workers
    wanted = backbone, [f.atoms for f in job.dataset.frames], job.dataset.elements, job.cache

    def progress(done: int, total: int) -> None:
        say(f"{done} {total}")

    match parts:
        case []:
            stored_rows(*wanted, workers, progress, job.store)
        case [part]:
            store_part(*wanted, part, job.store)
        case _:
            join_parts(*wanted, parts, progress, job.store)


def folds_of(job: Job) -> Iterator[tuple[str, Fold]]:
    """The folds of a fit by name, as logs and progress have it."""
    for number, fold in enumerate(job.split.folds, 1):
        yield f"fold {number}/{len(job.split.folds)}", fold


def _asks_for_properties(job: Job, registry: Registry) -> bool:
    tasks = (parse_spec(task, registry, "tasks").build(registry, "tasks") for task in job.fit.tasks)
    return any(isinstance(task, PropertyTask) for task in tasks)
