"""A trained network as an ASE calculator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from uqbench.api import Array
from uqbench.backbones.mace.graphs import make_batch, make_graph
from uqbench.backbones.mace.model import coefficients, evaluate
from uqbench.backbones.whole_calculator import WholeCalculator
from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

    from uqbench.backbones.mace.trained import TrainedMace


class MaceCalculator(WholeCalculator):
    """Energy (eV), forces (eV/Å) and, if periodic in three directions, stress (eV/Å³), in float64.

    values: coefficients (n_elements + P,), or None for the network's own. references: energy (eV) that each
    element adds. Raises UqbenchError for a wrong number of coefficients and for an element unseen in training.
    """

    def __init__(
        self, trained: TrainedMace, values: Array | None, references: Mapping[str, float], device: str
    ) -> None:
        super().__init__()
        import torch

        self.trained, self.references, self.device = trained, references, device
        self._network = trained.network(device)
        own = coefficients(self._network).detach()
        given = (
            own if values is None else torch.as_tensor(np.array(values, dtype=np.float64), device=own.device)
        )
        if given.shape != own.shape or not bool(torch.isfinite(given).all()):
            raise UqbenchError(
                f"coefficients of a MACE last layer have shape {tuple(given.shape)}; {len(own)} finite numbers are "
                f"needed for {', '.join(trained.elements)} at size {trained.config.size}."
            )
        self._values = given

    def compute(self, structure: Atoms) -> dict[str, Any]:
        """All properties at once."""
        import torch

        elements = self.trained.elements
        graph = make_graph(structure, elements, self.trained.cutoff)
        batch = make_batch([graph], len(elements), torch.float64, self.device)
        outputs = evaluate(self._network, batch, self._values)
        energy = float(outputs.energy) + sum(self.references[s] for s in structure.get_chemical_symbols())
        results = {"energy": energy, "free_energy": energy, "forces": outputs.forces.cpu().numpy()}
        return results if graph.volume is None else results | {"stress": outputs.stress[0].cpu().numpy()}
