"""A trained network: what it predicts, its last layer as a linear model, and its file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from uqbench.api import Array, Properties
from uqbench.backbones.mace.architecture import build
from uqbench.backbones.mace.checkpoint import read_torch, write_torch
from uqbench.backbones.mace.config import GivenConfig, MaceConfig
from uqbench.backbones.mace.graphs import Batch, Graph, make_batch, make_graph
from uqbench.backbones.mace.model import (
    Network,
    Normalisation,
    Outputs,
    build_network,
    coefficients,
    evaluate,
)
from uqbench.backbones.mace.pieces import Pieces
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

    from uqbench.backbones.mace.calculator import MaceCalculator

PREDICT_ATOMS, ROW_ATOMS = 200, 100
"""Atoms in one batch: more are slower on a CPU core, whose cache they leave."""

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class TrainedMace:
    """A network with its weights; everything is evaluated in float64.

    references: energy of each element, eV. state: trained weights by their name in mace, float32. curve: one entry
    an epoch (epoch, loss, validation_loss, energy_rmse, forces_rmse, stress_rmse, seconds, cpu_seconds). stopped: why
    training ended before its time, else empty.

    Its energy is Σ references + Σ_i (c + w·φ_i). Rows, weights and potential() speak of the second part only, as
    those of a LinearBackbone do: constants c of the elements come first among the coefficients, then w, and
    references are added by whoever took them off.

    format: names the kind of file, and what a class of it keeps. arrays: fields of arrays by name. variant_of: the type
    of the field "variant" of a class that has one.
    """

    format: ClassVar[str] = "uqbench mace 2"
    arrays: ClassVar[tuple[str, ...]] = ("state",)
    variant_of: ClassVar[type]

    config: MaceConfig | GivenConfig
    elements: tuple[str, ...]
    references: Mapping[str, float]
    normalisation: Normalisation
    state: Mapping[str, NDArray[np.float32]]
    curve: tuple[Mapping[str, float], ...] = ()
    stopped: str = ""

    @property
    def weights(self) -> Array:
        """(n_elements + P,) the network's own coefficients, eV."""
        return coefficients(self.network()).detach().cpu().numpy()

    @property
    def cutoff(self) -> float:
        """That of its graphs, Å."""
        return self.config.cutoff

    @property
    def layers(self) -> int:
        """Interactions."""
        return self.config.layers

    def network(self, device: str = "cpu") -> Network:
        """The torch module in float64 on a device; it is built once and must not be changed."""
        from uqbench.backbones.mace.quiet import torch_device

        target = torch_device(device)
        if device not in self._networks:
            self._networks[device] = self.own_network().requires_grad_(False).to(target)
        return self._networks[device]

    def own_network(self) -> Network:
        """The torch module in float64 on the CPU, built anew: the caller's to change."""
        import torch

        if isinstance(self.config, GivenConfig):
            network = build(self.config.architecture, self.elements, self.normalisation)
        else:
            network = build_network(self.config, self.elements, self.references, self.normalisation, seed=0)
        values = {name: torch.as_tensor(array) for name, array in self.state.items()}
        learnt = {name for name, _ in network.named_parameters()}
        missing = (learnt - set(values)) | (set(values) - set(network.state_dict()))
        if missing:
            raise UqbenchError(
                f"the weights do not fit a MACE of size {self.config.size}: {sorted(missing)[0]} is missing or "
                "superfluous."
            )
        network.load_state_dict(values, strict=False)
        return network

    def predict(self, structures: Sequence[Atoms], device: str = "cpu") -> list[Properties]:
        """Energy, forces and stress of each structure. Raises UqbenchError for an element unseen in training."""
        network = self.network(device)

        def work(batch: Batch) -> list[Properties]:
            return _split(evaluate(network, batch), batch)

        found = self._batched(structures, PREDICT_ATOMS, device, work)
        return [
            Properties(p.energy + self.reference_energy(atoms), p.forces, p.stress)
            for p, atoms in zip(found, structures, strict=True)
        ]

    def rows(self, structures: Sequence[Atoms], device: str = "cpu") -> Iterator[Array]:
        """Design rows (1 + 3N [+ 6], n_elements + P) of each structure in turn; see LinearBackbone.rows."""
        from uqbench.backbones.mace.last_layer import batch_rows

        network = self.network(device)
        return self._batched(structures, ROW_ATOMS, device, lambda batch: batch_rows(network, batch))

    def calculator(self, device: str = "cpu") -> MaceCalculator:
        """The network as an ASE calculator; energies are total, references included."""
        from uqbench.backbones.mace.calculator import MaceCalculator

        return MaceCalculator(self, None, self.references, device)

    def potential(self, values: Array, device: str = "cpu") -> MaceCalculator:
        """An ASE calculator with other coefficients (n_elements + P,): rows times values, no references.

        Raises UqbenchError for a wrong number of coefficients.
        """
        from uqbench.backbones.mace.calculator import MaceCalculator

        return MaceCalculator(self, values, dict.fromkeys(self.elements, 0.0), device)

    def reference_energy(self, atoms: Atoms) -> float:
        """Sum of the reference energies of a structure's atoms, eV."""
        return sum(self.references[symbol] for symbol in atoms.get_chemical_symbols())

    def save(self, path: Path) -> None:
        """Write {config, state_dict} to a file, whole or not at all."""
        import torch

        config = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.arrays}
        config |= {"config": asdict(self.config), "normalisation": asdict(self.normalisation)}
        config |= {"references": dict(self.references), "curve": [dict(row) for row in self.curve]}
        config |= {"variant": asdict(config["variant"])} if "variant" in config else {}
        state = {
            f"{part}/{name}": torch.as_tensor(values)
            for part in self.arrays
            for name, values in getattr(self, part).items()
        }
        write_torch(path, {"format": self.format, "config": config, "state_dict": state})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what save wrote; nothing in the file is run. Raises UqbenchError for any other file."""
        return cls.of(read_torch(path, cls.format))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """What a file of this format holds."""
        config = content["config"]
        given = {
            **config,
            "config": (GivenConfig if "sha256" in config["config"] else MaceConfig)(**config["config"]),
            "normalisation": Normalisation(**config["normalisation"]),
            "elements": tuple(config["elements"]),
            "curve": tuple(config["curve"]),
        }
        given |= {"variant": cls.variant_of(**config["variant"])} if "variant" in config else {}
        for part in cls.arrays:
            own = f"{part}/"
            given[part] = {
                name.removeprefix(own): values.numpy()
                for name, values in content["state_dict"].items()
                if name.startswith(own)
            }
        return cls(**given)

    def _batched(
        self, structures: Sequence[Atoms], atoms: int, device: str, work: Callable[[Batch], list[Result]]
    ) -> Iterator[Result]:
        import torch

        graphs = [make_graph(s, self.elements, self.cutoff) for s in structures]

        def on_graphs(piece: Sequence[Graph]) -> list[Result]:
            return work(make_batch(piece, len(self.elements), torch.float64, device))

        for results in Pieces(atoms).run(graphs, on_graphs):
            yield from results

    @cached_property
    def _networks(self) -> dict[str, Network]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the fields, without the networks built from them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _split(outputs: Outputs, batch: Batch) -> list[Properties]:
    import torch

    energies, forces, stresses = (
        values.detach().cpu().numpy() for values in (outputs.energy, outputs.forces, outputs.stress)
    )
    ends = np.cumsum(batch.sizes.cpu().numpy())[:-1]
    periodic = torch.isfinite(batch.volumes).tolist()
    return [
        Properties(float(e), f, s if whole else None)
        for e, f, s, whole in zip(energies, np.split(forces, ends), stresses, periodic, strict=True)
    ]
