"""A linear method on the last layer of a trained network, and a method for networks, which has its own trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from uqbench.api import (
    Frame,
    LinearMethod,
    NetworkBackbone,
    NetworkMethod,
    NetworkProblem,
    NetworkRequest,
    NotApplicable,
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
from uqbench.linear.last_layer import LastLayer
from uqbench.suite.fitter import Fitted, Fitter
from uqbench.suite.handed import handed_over
from uqbench.suite.job import Job
from uqbench.suite.networks import NetworkStore, StoredNetwork, member_seed
from uqbench.suite.plan import Fit
from uqbench.suite.row_fitter import fit_rows, fresh, us_per_atom


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
        posterior, seconds = fit_rows(self, self.method, layer, rows, where, train, references, number)
        return Fitted(
            posterior,
            fresh(posterior),
            lambda: partial(stored.network.predict, device=self.store.device),
            references,
            dict(posterior.facts) | _facts(stored, self.store.backbone),
            seconds | _shared(stored),
            us_per_atom(rows, [self.frames[i] for i in chosen]),
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
            lambda: partial(used[first].network.predict, device=self.store.device),
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


def _store(job: Job, say: Say, backbone: NetworkBackbone) -> NetworkStore:
    # "torch:cpu" is the linear engine's name for the CPU through torch.
    return NetworkStore(job.networks, backbone, job.fit.device.removeprefix("torch:"), say, job.store)


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
