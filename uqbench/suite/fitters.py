"""How a method meets a backbone: on stored rows, on the last layer of a trained network, or on networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uqbench.api import (
    CalculatorBackbone,
    Frame,
    LinearBackbone,
    LinearMethod,
    NetworkBackbone,
    NetworkMethod,
    NetworkProblem,
    NetworkRequest,
    NotApplicable,
    ParameterPosterior,
    Posterior,
    TrainedNetwork,
    Variant,
)
from uqbench.api.network import Say
from uqbench.backbones.store import StoredRows, stored_rows
from uqbench.cost.memory import stored_bytes
from uqbench.cost.timing import Elapsed, stopwatch
from uqbench.data.split import Fold
from uqbench.errors import UqbenchError
from uqbench.linear.arrays import Arrays
from uqbench.linear.last_layer import LastLayer
from uqbench.linear.model import LinearPosterior
from uqbench.linear.problem import build_problem
from uqbench.linear.references import fit_references
from uqbench.registry import Registry
from uqbench.suite.handed import handed_over
from uqbench.suite.job import Job
from uqbench.suite.networks import NetworkStore, StoredNetwork, Training, member_seed
from uqbench.suite.plan import Fit, mismatch, require_trust

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True)
class Fitted:
    """One fit of a run: on a fold's training part, or on the pool.

    fresh: the posterior with nothing looked up. bare: makes the potential whose time predictions are compared with.
    seconds: see cost.fit of a record. rows_us_per_atom: of design rows, where there are any. trainings: what the
    networks took, the one that all methods share first.
    """

    posterior: Posterior
    fresh: Posterior
    bare: Callable[[], Calculator]
    references: Mapping[str, float]
    facts: dict[str, float | str]
    seconds: dict[str, float]
    rows_us_per_atom: float | None = None
    trainings: tuple[Training, ...] = ()


class Fitter(ABC):
    """Fits one method on one backbone, fold by fold."""

    def __init__(self, job: Job, say: Say) -> None:
        self.job, self.say = job, say
        self.frames: Sequence[Frame] = job.dataset.frames
        self.elements = job.dataset.elements
        self.arrays = Arrays(job.fit.device)

    @abstractmethod
    def fit(self, number: int, fold: Fold, name: str) -> Fitted:
        """Fit to the training part of a fold. number: seeds the fit. name: of the fold, for people."""

    def training(self, fold: Fold) -> tuple[list[Frame], dict[str, float]]:
        """Training frames, and the card's reference energies or those fitted to them."""
        train = [self.frames[i] for i in fold.train]
        card = self.job.dataset.card
        given = dict(card.energy_references) if card and card.energy_references else None
        return train, given or fit_references(train, self.elements)


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
        posterior, seconds = _fit_rows(
            self, self.method, self.backbone, self.rows, fold.train, train, references, number
        )
        return Fitted(
            posterior,
            _fresh(posterior),
            lambda: self.backbone.potential(posterior.parameters.mean, self.elements),
            references,
            dict(posterior.facts),
            seconds,
            _us_per_atom(self.rows, self.frames),
        )


class LastLayerFitter(Fitter):
    """A linear method on the last layer of a network that is trained on each fold first."""

    def __init__(self, job: Job, say: Say, backbone: NetworkBackbone, method: LinearMethod) -> None:
        super().__init__(job, say)
        self.method, self.store = method, _store(job, say, backbone)

    def layer(
        self, fold: Fold, name: str
    ) -> tuple[StoredNetwork, LastLayer, StoredRows, NDArray[np.int64], dict[str, float]]:
        """The fold's network, its last layer, the rows of the fold's frames, which frames these are, references."""
        train, references = self.training(fold)
        seed = member_seed(self.job.fit.seed, 0)
        request = NetworkRequest(train, self.elements, references, seed)
        stored = self.store.network(request, f"network of {name}")
        layer = LastLayer(stored.key, self.elements, self.store.device, stored.network)
        chosen = np.unique(np.concatenate([fold.train, fold.calibration, fold.test, fold.held_out]))
        self.say(f"rows of {name}")
        atoms = [self.frames[i].atoms for i in chosen]
        rows = stored_rows(layer, atoms, self.elements, self.job.cache, store=self.job.store)
        return stored, layer, rows, chosen, references

    def fit(self, number: int, fold: Fold, name: str) -> Fitted:
        """See Fitter."""
        stored, layer, rows, chosen, references = self.layer(fold, name)
        train = [self.frames[i] for i in fold.train]
        where = np.searchsorted(chosen, fold.train)
        posterior, seconds = _fit_rows(self, self.method, layer, rows, where, train, references, number)
        return Fitted(
            posterior,
            _fresh(posterior),
            lambda: stored.network.calculator(self.store.device),
            references,
            dict(posterior.facts) | _facts(stored, self.store.backbone),
            seconds | _shared(stored),
            _us_per_atom(rows, [self.frames[i] for i in chosen]),
            (stored.training,),
        )


class NetworkFitter(Fitter):
    """A method for networks, which has as many trained as it needs."""

    def __init__(self, job: Job, say: Say, backbone: NetworkBackbone, method: NetworkMethod) -> None:
        super().__init__(job, say)
        self.method, self.store = method, _store(job, say, backbone)

    def fit(self, number: int, fold: Fold, name: str) -> Fitted:
        """See Fitter."""
        frames, references = self.training(fold)
        train = _Networks(
            self.store, self.job.fit, self.elements, references, frames, name, self.arrays.synchronise
        )
        problem = NetworkProblem(
            handed_over(frames), self.elements, dict(references), self.store.device, train
        )
        rng = np.random.default_rng([self.job.fit.seed, number])
        with stopwatch(self.arrays.synchronise) as elapsed:
            posterior = self.method.fit(problem, rng)
        method = self.job.fit.method.name
        if not isinstance(posterior, Posterior):
            raise UqbenchError(f"{method}.fit returned {type(posterior).__name__}, not a Posterior.")
        used, inside = train.used, train.inside
        if not used:
            raise UqbenchError(f"{method}.fit had no network trained; call problem.train(member).")
        # Plain ones before others: the first of them is the network that all methods share, if it was needed at all.
        first, *others = sorted(used, key=lambda asked: (asked[1] is not None, asked[0]))
        shared = used[first] if first[1] is None else None
        # What training took when it was done, in place of what it or reading the file took now.
        own = [used[asked].training for asked in ([first, *others] if shared is None else others)]
        seconds = {
            "wall_s": elapsed.wall - inside.wall + sum(t.wall_s for t in own),
            "cpu_s": elapsed.cpu - inside.cpu + sum(t.cpu_s for t in own),
            "rows_cpu_s": 0.0,
            "posterior_bytes": stored_bytes(posterior),
        }
        return Fitted(
            posterior,
            posterior,
            lambda: used[first].network.calculator(self.store.device),
            references,
            dict(posterior.facts) | _facts(used[first], self.store.backbone),
            seconds | _shared(shared),
            trainings=(*([shared.training] if shared else []), *own),
        )


@dataclass
class _Networks:
    """NetworkProblem.train. It knows the training frames and no others, for a method gets hold of it."""

    store: NetworkStore
    asked: Fit
    elements: tuple[str, ...]
    references: Mapping[str, float]
    frames: Sequence[Frame]
    name: str
    synchronise: Callable[[], None]
    used: dict[tuple[int, Variant | None], StoredNetwork] = field(default_factory=dict)
    inside: Elapsed = field(default_factory=Elapsed)

    def __call__(self, member: int, variant: Variant | None = None) -> TrainedNetwork:
        """See Train."""
        if (member, variant) not in self.used:
            self._require(member, variant)
            start = self(member) if variant is not None and variant.from_plain else None
            kind = "" if variant is None else f" ({type(variant).__name__})"
            request = NetworkRequest(
                self.frames,
                self.elements,
                self.references,
                member_seed(self.asked.seed, member),
                variant=variant,
                start=start,
            )
            with stopwatch(self.synchronise) as spent:
                found = self.store.network(request, f"network {member}{kind} of {self.name}")
            self.inside.wall, self.inside.cpu = self.inside.wall + spent.wall, self.inside.cpu + spent.cpu
            self.used[member, variant] = found
        return self.used[member, variant].network

    def _require(self, member: int, variant: Variant | None) -> None:
        known = self.store.backbone.variants
        if member and not self.store.backbone.seeded:
            raise NotApplicable(
                f"{self.asked.method.name} needs networks that differ, and {self.asked.backbone.name} is the same "
                "for every seed, since it starts from a file and stays so; train it further (fine_tune=true)."
            )
        if variant is not None and not isinstance(variant, known):
            raise NotApplicable(
                f"{self.asked.method.name} needs networks with {type(variant).__name__}, which "
                f"{self.asked.backbone.name} cannot train (it knows "
                f"{', '.join(kind.__name__ for kind in known) or 'plain ones only'})."
            )


def make_fitter(job: Job, registry: Registry, say: Say) -> Fitter:
    """The fitter of a job; raises NotApplicable if its method does not run on its backbone."""
    backbone = job.fit.backbone.build(registry, "backbones")
    method = job.fit.method.build(registry, "methods")
    if reason := mismatch(job.fit.method, job.fit.backbone, registry):
        raise NotApplicable(reason)
    require_trust(backbone, job.trust)
    if isinstance(backbone, CalculatorBackbone):
        from uqbench.suite.committee import CommitteeFitter  # which takes Fitter from here

        return CommitteeFitter(job, say, backbone, method)
    if isinstance(backbone, LinearBackbone):
        return RowFitter(job, say, backbone, method)
    if isinstance(method, LinearMethod):
        return LastLayerFitter(job, say, backbone, method)
    return NetworkFitter(job, say, backbone, method)


def _store(job: Job, say: Say, backbone: NetworkBackbone) -> NetworkStore:
    # "torch:cpu" is the linear engine's name for the CPU through torch.
    return NetworkStore(job.networks, backbone, job.fit.device.removeprefix("torch:"), say, job.store)


def _fit_rows(
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
    problem = build_problem(train, lambda i: rows.rows(int(where[i])), job.scales, references, job.fit.device)
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


def _fresh(posterior: LinearPosterior) -> LinearPosterior:
    return LinearPosterior(
        posterior.backbone, posterior.elements, posterior.parameters, posterior.references, lambda atoms: None
    )


def _us_per_atom(rows: StoredRows, frames: Sequence[Frame]) -> float:
    return 1e6 * rows.seconds / sum(len(f.atoms) for f in frames)


def _shared(stored: StoredNetwork | None) -> dict[str, float]:
    """What the network that all methods share took; nothing where it was not needed."""
    if stored is None:
        return {"network_wall_s": 0.0, "network_cpu_s": 0.0}
    return {"network_wall_s": stored.training.wall_s, "network_cpu_s": stored.training.cpu_s}


def _facts(stored: StoredNetwork, backbone: NetworkBackbone) -> dict[str, float | str]:
    facts: dict[str, float | str] = {
        "network": stored.key,
        "network_epochs": stored.network.curve[-1]["epoch"],
    }
    for origin in backbone.origins():
        facts[f"source {origin.known_as}"] = f"sha256 {origin.sha256}"
        facts["contamination"] = (
            f"unknown: {origin.known_as} may have been trained on frames that test it here"
        )
    return facts | ({"network_stopped": stored.network.stopped} if stored.network.stopped else {})
