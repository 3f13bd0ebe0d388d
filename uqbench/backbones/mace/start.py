"""A network from a model file: taken as it is, or trained further.

Its features are kept; energies are shifted by a constant of each element, fitted to the training frames, since every
dataset has its own zero. What the file says of isolated atoms is not used.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, NetworkRequest
from uqbench.backbones.mace.architecture import build, describe, tensors_of
from uqbench.backbones.mace.config import GivenConfig
from uqbench.backbones.mace.graphs import Graph, make_batch, make_graph
from uqbench.backbones.mace.load import load_network
from uqbench.backbones.mace.model import Network, Normalisation, evaluate
from uqbench.backbones.mace.model_file import is_ours, read_module
from uqbench.backbones.mace.objective import Example, SquaredErrors
from uqbench.backbones.mace.pieces import Pieces
from uqbench.backbones.mace.preparation import Preparation, best_weights, make_examples
from uqbench.backbones.mace.quiet import torch_device
from uqbench.backbones.mace.trained import PREDICT_ATOMS, TrainedMace
from uqbench.checksum import file_sha256
from uqbench.errors import UqbenchError

AGREE = 1e-5
"""Up to which the network that is made of a file agrees with the file's own, relative to its largest force."""


@dataclass(frozen=True)
class Start:
    """A model file. path, name: where it is and what records call it. epochs: see GivenConfig."""

    path: Path
    name: str
    sha256: str
    epochs: int | None

    def frozen(self, request: NetworkRequest) -> TrainedMace:
        """The file's network with energies shifted. Raises UqbenchError as read does, and for a frame of no graph."""
        torch_device(request.device)
        began = time.perf_counter(), time.process_time()
        given = self.read(request)
        examples = make_examples(request.frames, request.elements, given.config.cutoff, request.references)
        shift = given.normalisation.shift + _offsets(given, examples, request.device)
        took = {"seconds": time.perf_counter() - began[0], "cpu_seconds": time.process_time() - began[1]}
        return replace(
            given,
            normalisation=replace(given.normalisation, shift=tuple(shift.tolist())),
            curve=({"epoch": 0.0, **took},),
        )

    def fine_tuned(self, request: NetworkRequest) -> TrainedMace:
        """All of its weights trained further; see uqbench.backbones.mace.train."""
        began = time.perf_counter(), time.process_time()
        given = self.frozen(request)
        # What goes before the training is part of its cost.
        ready = replace(Preparation.of(request, given.config), began=began)
        network = given.own_network().float().to(ready.device)
        run = ready.run(SquaredErrors(network), given.config.length, ready.examples)
        state = {**given.state, **best_weights(run)}
        return replace(given, state=state, curve=tuple(run.curve), stopped=run.stopped)

    def read(self, request: NetworkRequest) -> TrainedMace:
        """The file's network with its own shift.

        Raises UqbenchError for a file that has changed or holds no network of mace, for an architecture that is not
        known, and for an element that the network does not know.
        """
        from ase.data import chemical_symbols

        module = self._module()
        known = [chemical_symbols[int(z)] for z in module.atomic_numbers]
        if missing := sorted(set(request.elements) - set(known)):
            raise UqbenchError(
                f"{self.name} does not know {', '.join(missing)} (it knows {_listed(known)}); start from a model "
                "that does, or leave out the frames that hold it."
            )
        picked = [known.index(element) for element in request.elements]
        normalisation = Normalisation(
            float(module.interactions[0].avg_num_neighbors),
            float(module.scale_shift.scale),
            float(module.scale_shift.shift.flatten()[0]),
        )
        config = GivenConfig(self.name, self.sha256, describe(module, self.name), self.epochs)
        network = build(config.architecture, request.elements, normalisation)
        state = tensors_of(module, network, picked, self.name)
        found = TrainedMace(config, request.elements, dict(request.references), normalisation, state)
        # Of our own, mace's forward knows no weight of a pair repulsion; and they are what they were written as.
        if not is_ours(self.path):
            _require_alike(module, found, self.name)
        return found

    def _module(self) -> Network:
        if not is_ours(self.path):
            return read_module(self.path, self.sha256).double()
        if file_sha256(self.path) != self.sha256:
            raise UqbenchError(f"{self.path} has changed since this run began; start it again.")
        return load_network(self.path).own_network()


def _offsets(given: TrainedMace, examples: Sequence[Example], device: str) -> Array:
    """(n_elements,) energies, eV, that best explain what the network leaves of those per atom; of least norm."""
    n_elements = len(given.elements)
    labelled = [example for example in examples if np.isfinite(example.labels[0][0])]
    if not labelled:
        return np.zeros(n_elements)
    left = np.array([example.labels[0][0] for example in labelled]) - _energies(given, labelled, device)
    shares = np.array([np.bincount(e.graph.species, minlength=n_elements) / len(e) for e in labelled])
    return np.linalg.lstsq(shares, left, rcond=None)[0].astype(np.float64)


def _energies(given: TrainedMace, examples: Sequence[Example], device: str) -> Array:
    """(n,) of the network, eV per atom, without references."""
    import torch

    network, graphs = given.network(device), [example.graph for example in examples]

    def work(piece: Sequence[Graph]) -> NDArray[np.float64]:
        batch = make_batch(piece, len(given.elements), torch.float64, device)
        return evaluate(network, batch).energy.cpu().numpy()

    found = np.concatenate(list(Pieces(PREDICT_ATOMS).run(graphs, work)))
    return found / np.array([len(graph) for graph in graphs])


def _require_alike(module: Network, found: TrainedMace, name: str) -> None:
    """The network made of the file says what the file's own says of a cluster of all its elements."""
    import torch
    from ase import Atoms

    rng = np.random.default_rng(0)
    n = max(6, len(found.elements))
    species = np.arange(n) % len(found.elements)
    spots = np.array(list(np.ndindex(5, 5, 5)))[:n]
    spacing = 0.4 * found.config.cutoff
    atoms = Atoms([found.elements[s] for s in species], spacing * (spots + 0.2 * rng.random((n, 3))))
    graph = make_graph(atoms, found.elements, found.config.cutoff)
    ours = evaluate(found.network(), make_batch([graph], len(found.elements), torch.float64))
    numbers = [int(z) for z in module.atomic_numbers]
    batch = make_batch([graph], len(found.elements), torch.float64)
    theirs = module.requires_grad_(False)(
        {
            "positions": batch.positions,
            "node_attrs": torch.eye(len(numbers), dtype=torch.float64)[
                [numbers.index(z) for z in atoms.numbers]
            ],
            "edge_index": batch.edges,
            "shifts": batch.shifts,
            "unit_shifts": batch.shifts,
            "cell": torch.zeros(3, 3, dtype=torch.float64),
            "batch": batch.structure,
            "ptr": torch.tensor([0, n]),
        }
    )
    largest = float(theirs["forces"].abs().max()) + 1e-3
    apart = max(
        float((ours.forces - theirs["forces"]).abs().max()),
        float((ours.energy - theirs["interaction_energy"]).abs().max()) / n,
    )
    if not apart < AGREE * largest:
        raise UqbenchError(
            f"{name}: what uqbench makes of its layers differs from the model's own forces by {apart:.2g} eV/Å; its "
            "architecture is not known here. As one of --calculators it can be scored."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 12 else f"{', '.join(names[:8])} and {len(names) - 8} more"
