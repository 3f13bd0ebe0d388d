"""A stand-in for a trained network in NumPy: the toy backbone, fitted to a draw of the frames by its seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import (
    KINDS,
    Array,
    Frame,
    NetworkProblem,
    Noise,
    NoiseHead,
    Properties,
    TrainedNetwork,
    Variant,
)
from uqbench.api.variant import Law
from uqbench.backbones.noise_law import CorrelatedNoise, SiteNoise, WhiteNoise
from uqbench.check.toy_backbone import ToyPairs
from uqbench.check.toy_data import ELEMENTS, SCALES
from uqbench.errors import UqbenchError
from uqbench.linear.references import fit_references, reference_energy

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


SITE = 0.05
"""Standard deviation of a site's noise, eV, and of force components, eV/Å."""


@dataclass(frozen=True)
class ToyTrained:
    """Weights (P,) of the toy backbone, and what a TrainedNetwork has beside them; device is not looked at."""

    weights: Array
    references: Mapping[str, float]
    curve: tuple[Mapping[str, float], ...] = ({"epoch": 1.0, "seconds": 0.0, "cpu_seconds": 0.0},)
    stopped: str = ""

    def predict(self, structures: Sequence[Atoms], device: str = "cpu") -> list[Properties]:
        """See TrainedNetwork."""
        found = []
        for atoms, rows in zip(structures, self.rows(structures), strict=True):
            values, n = rows @ self.weights, len(atoms)
            energy = n * (float(values[0]) + reference_energy(atoms, self.references))
            stress = values[1 + 3 * n :] if len(values) > 1 + 3 * n else None
            found.append(Properties(energy, values[1 : 1 + 3 * n].reshape(n, 3), stress))
        return found

    def rows(self, structures: Sequence[Atoms], device: str = "cpu") -> Iterator[Array]:
        """See TrainedNetwork."""
        return ToyPairs().rows(structures, ELEMENTS)

    @property
    def cutoff(self) -> float:
        """See TrainedNetwork."""
        return ToyPairs().cutoff

    @property
    def layers(self) -> int:
        """See TrainedNetwork."""
        return 1

    def calculator(self, device: str = "cpu") -> Calculator:
        """See TrainedNetwork; references are constants of the elements, which come first among the weights."""
        references = np.array([self.references[element] for element in ELEMENTS])
        constants = np.concatenate([references, np.zeros(len(self.weights) - len(references))])
        return self.potential(self.weights + constants)

    def potential(self, values: Array, device: str = "cpu") -> Calculator:
        """See TrainedNetwork."""
        return ToyPairs().potential(values, ELEMENTS)

    def save(self, path: Path) -> None:
        """Not for keeping."""
        raise NotImplementedError


@dataclass(frozen=True)
class ToyNoisy(ToyTrained):
    """A toy network whose sites all have the same noise."""

    law: Law = "correlated"

    def noise(
        self, structures: Sequence[Atoms], device: str = "cpu", site_local: bool = False
    ) -> list[Noise]:
        """See NoisyNetwork; sites have the same scale, whose slopes are zero."""
        sizes = [len(atoms) for atoms in structures]
        if self.law == "white":
            return [WhiteNoise(n * SITE**2, np.full(n, SITE**2)) for n in sizes]
        if site_local:
            return [
                SiteNoise(np.full(n, SITE), np.zeros((n, n, 3)), np.ones((n, n), dtype=np.int64), 1.0)
                for n in sizes
            ]
        return [CorrelatedNoise(SITE * np.sqrt(n), np.zeros((n, 3)), 1.0) for n in sizes]


@dataclass(frozen=True)
class ToyCommittee(ToyTrained):
    """A toy network with several sets of weights about its own."""

    others: tuple[Array, ...] = ()

    def predict_members(self, structures: Sequence[Atoms], device: str = "cpu") -> list[list[Properties]]:
        """See CommitteeNetwork."""
        return [member.predict(structures) for member in self._members()]

    def member_calculators(self, device: str = "cpu") -> list[Calculator]:
        """See CommitteeNetwork."""
        return [member.calculator() for member in self._members()]

    def _members(self) -> list[ToyTrained]:
        return [ToyTrained(weights, self.references) for weights in self.others]


def toy_variant(network: ToyTrained, variant: Variant, seed: int) -> ToyTrained:
    """A toy network of another kind with the same weights."""
    if isinstance(variant, NoiseHead):
        return ToyNoisy(network.weights, network.references, law=variant.law)
    drawn = np.random.default_rng([seed, 1]).standard_normal((variant.count, len(network.weights)))
    others = network.weights + 0.01 * (drawn - drawn.mean(axis=0))
    return ToyCommittee(network.weights, network.references, others=tuple(others))


def toy_training(frames: Sequence[Frame], references: Mapping[str, float], seed: int) -> ToyTrained:
    """Least squares on frames drawn with replacement, with a slight pull to zero."""
    drawn = [frames[i] for i in np.random.default_rng(seed).integers(len(frames), size=len(frames))]
    pull = 1e-3 * np.eye(ToyPairs().n_features(ELEMENTS))
    rows, labels = [pull], [np.zeros(len(pull))]
    for frame, design in zip(drawn, ToyPairs().rows([f.atoms for f in drawn], ELEMENTS), strict=True):
        n = 1 + 3 * len(frame.atoms)
        parts = dict(zip(KINDS, (design[:1], design[1:n], design[n:]), strict=True))
        for kind, part in parts.items():
            values = frame.labels(kind)
            if values is None:
                continue
            shift = reference_energy(frame.atoms, references) if kind == "energy" else 0.0
            rows.append(part / SCALES[kind])
            labels.append((values - shift) / SCALES[kind])
    found = np.linalg.lstsq(np.concatenate(rows), np.concatenate(labels))[0]
    return ToyTrained(found.astype(np.float64), references)


def toy_network_problem(
    frames: Sequence[Frame], change: Callable[[int, ToyTrained], TrainedNetwork] | None = None
) -> NetworkProblem:
    """A problem whose networks are toys, of any kind, and whose frames are copies.

    change(member, network): what is handed out in place of a network.
    """
    references = fit_references(frames, ELEMENTS)

    def train(member: int, variant: Variant | None = None) -> TrainedNetwork:
        if not isinstance(member, int) or member < 0:
            raise UqbenchError(f"problem.train was called with {member!r}; members are numbered from 0.")
        network = toy_training(frames, references, member)
        network = network if variant is None else toy_variant(network, variant, member)
        return network if change is None else change(member, network)

    return NetworkProblem(tuple(copy.deepcopy(list(frames))), ELEMENTS, references, "cpu", train)
