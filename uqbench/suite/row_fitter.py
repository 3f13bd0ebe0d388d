"""A linear method on stored rows, those of a linear backbone or of any other origin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Frame, LinearBackbone, LinearMethod, ParameterPosterior
from uqbench.api.network import Say
from uqbench.backbones.store import StoredRows, stored_rows
from uqbench.cost.memory import stored_bytes
from uqbench.cost.timing import stopwatch
from uqbench.data.split import Fold
from uqbench.errors import UqbenchError
from uqbench.linear.model import LinearPosterior
from uqbench.linear.problem import build_problem
from uqbench.suite.fitter import Fitted, Fitter, one_by_one
from uqbench.suite.job import Job


class RowFitter(Fitter):
    """A linear method on a linear backbone, whose rows are the same for all folds."""

    def __init__(self, job: Job, say: Say, backbone: LinearBackbone, method: LinearMethod) -> None:
        super().__init__(job, say)
        self.backbone, self.method = backbone, method
        self.rows = stored_rows(
            backbone, [f.atoms for f in self.frames], self.elements, job.cache, store=job.store
        )

    def fit(self, number: int, fold: Fold, name: str) -> Fitted:
        """See Fitter."""
        train, references = self.training(fold)
        posterior, seconds = fit_rows(
            self, self.method, self.backbone, self.rows, fold.train, train, references, number
        )
        return Fitted(
            posterior,
            fresh(posterior),
            lambda: one_by_one(self.backbone.potential(posterior.parameters.mean, self.elements)),
            references,
            dict(posterior.facts),
            seconds,
            us_per_atom(self.rows, self.frames),
        )


def fit_rows(
    fitter: Fitter,
    method: LinearMethod,
    backbone: LinearBackbone,
    rows: StoredRows,
    where: NDArray[np.int64],
    train: Sequence[Frame],
    references: dict[str, float],
    number: int,
) -> tuple[LinearPosterior, dict[str, float]]:
    """Fit to the rows numbered where (n_frames,), one a training frame; the posterior and what it cost."""
    job = fitter.job
    problem = build_problem(
        train, lambda i: rows.rows(int(where[i])), job.scales, references, job.fit.device, job.weights
    )
    rng = np.random.default_rng([job.fit.seed, number])
    with stopwatch(fitter.arrays.synchronise) as elapsed:
        parameters = method.fit(problem, rng)
    if not isinstance(parameters, ParameterPosterior):
        raise UqbenchError(
            f"{job.fit.method.name}.fit returned {type(parameters).__name__}, not a ParameterPosterior."
        )
    _check_mean(parameters.mean, problem.n_features, job.fit.method.name)
    seconds = {
        "wall_s": elapsed.wall,
        "cpu_s": elapsed.cpu,
        "rows_cpu_s": float(rows.structure_seconds[where].sum()),
        "posterior_bytes": stored_bytes(parameters),
    }
    return LinearPosterior(backbone, fitter.elements, parameters, references, rows.lookup), seconds


def _check_mean(mean: object, n_features: int, method: str) -> None:
    found = np.asarray(mean)
    if found.dtype.kind not in "fiu" or found.shape != (n_features,) or not np.isfinite(found).all():
        finite = found.dtype.kind in "fc" and np.isfinite(found).all()
        raise UqbenchError(
            f"{method}: the posterior's mean is {found.dtype} of shape {found.shape}"
            f"{'' if finite else ', not all finite'}; {n_features} finite real coefficients are needed."
        )


def fresh(posterior: LinearPosterior) -> LinearPosterior:
    """The posterior with nothing looked up."""
    return LinearPosterior(
        posterior.backbone, posterior.elements, posterior.parameters, posterior.references, lambda atoms: None
    )


def us_per_atom(rows: StoredRows, frames: Sequence[Frame]) -> float:
    """CPU time of design rows, when they were computed."""
    return 1e6 * rows.seconds / sum(len(f.atoms) for f in frames)
