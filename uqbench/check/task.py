"""The contract of a task: its tables, on toy structures with labels of every kind, or energies alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from uqbench.api import (
    Array,
    Frame,
    FrameTask,
    NotApplicable,
    Posterior,
    Prediction,
    PropertyTask,
    Table,
    Task,
)
from uqbench.check.finding import Broken, Finding, Skipped, examine
from uqbench.check.quantity import check_quantities
from uqbench.check.toy_data import energies_only, toy_frames
from uqbench.check.toy_problem import ToyProblem
from uqbench.errors import UqbenchError
from uqbench.linear.evidence import fit_ridge
from uqbench.linear.posteriors import Gaussian
from uqbench.registry import Registry, source_file
from uqbench.spec import parse_spec


def check_task(text: str, registry: Registry) -> list[Finding]:
    """Evaluate NAME or NAME:field=value on toy structures with a Gaussian posterior of a pair potential.

    A property task is asked for the quantities of aluminium, and these are computed with ASE's EMT.
    Raises UqbenchError only for a name that is not there.
    """
    sources = [source_file(registry.find("tasks", text.partition(":")[0]))]
    built: list[Task] = []
    findings = [examine("parameters", sources, _build, text, registry, built)]
    if not built:
        return findings
    task = built[0]
    if isinstance(task, PropertyTask):
        return [*findings, examine("quantities", sources, check_quantities, task)]
    if not isinstance(task, FrameTask):
        raise UqbenchError(f"task {text!r} is neither a FrameTask nor a PropertyTask; subclass one of them.")
    posterior = _plain_posterior()
    for what, frames in (
        ("tables", toy_frames()),
        ("energies alone", energies_only(toy_frames())),
        ("one structure", toy_frames()[:1]),
    ):
        findings.append(examine(what, sources, check_tables, task, posterior, frames))
    return findings


def check_tables(task: FrameTask, posterior: Posterior, frames: Sequence[Frame]) -> None:
    """A task's tables hold together, and frames are left as they are. Raises Skipped if it is not applicable."""
    before = [_contents(f) for f in frames]
    try:
        tables = task.evaluate(posterior, frames)
    except NotApplicable as reason:
        raise Skipped(f"not applicable: {reason}") from None
    changed = [f.source for f, content in zip(frames, before, strict=True) if _contents(f) != content]
    if changed:
        raise Broken(f"evaluate writes into {changed[0]}; work on copies (atoms.copy()).")
    if not isinstance(tables, Mapping) or not tables:
        raise Broken(
            f"evaluate returns {tables!r}; return tables by name, or raise NotApplicable with the reason."
        )
    for name, table in tables.items():
        _check_table(name, table, len(frames))


def _check_table(name: str, table: Table, n_frames: int) -> None:
    if not isinstance(table, Table) or not isinstance(table.prediction, Prediction):
        raise Broken(f"{name!r} is a {type(table).__name__}; a Table with a Prediction is needed.")
    if not table.unit or not isinstance(table.unit, str):
        raise Broken(f"table {name!r} has the unit {table.unit!r}; give it as text.")
    n = len(table.prediction)
    if not n:
        raise Broken(f"table {name!r} is empty; leave out what no frame is labelled with.")
    for field, kinds in (("reference", "f"), ("structure", "iu"), ("scored", "b")):
        values: Array = getattr(table, field)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in kinds or values.shape != (n,):
            raise Broken(
                f"table {name!r}: {field} has type {getattr(values, 'dtype', type(values).__name__)} and shape "
                f"{np.shape(values)}; see uqbench.api.Table: an array ({n},), one entry a prediction."
            )
    if not np.isfinite(table.reference).all():
        raise Broken(f"table {name!r}: a reference is not finite; leave out what has no label.")
    if table.structure.min() < 0 or table.structure.max() >= n_frames:
        raise Broken(
            f"table {name!r}: structure runs from {table.structure.min()} to {table.structure.max()}; it is an "
            f"index into the {n_frames} frames given."
        )


def _build(text: str, registry: Registry, built: list[Task]) -> None:
    built.append(parse_spec(text, registry, "tasks").build(registry, "tasks"))


def _plain_posterior() -> Posterior:
    toy = ToyProblem.of(toy_frames())
    ridge = fit_ridge(toy.problem)
    return toy.potential(
        Gaussian(ridge.mean, ridge.whitener, {"energy": 0.01, "forces": 0.1, "stress": 0.01})
    )


def _contents(frame: Frame) -> tuple[object, ...]:
    arrays = (frame.atoms.positions, frame.atoms.cell.array, frame.forces, frame.stress, frame.free_forces)
    content = tuple(None if a is None else a.tobytes() for a in arrays)
    return (*content, str(frame.atoms.symbols), frame.energy, frame.atoms.calc)
