"""A linear backbone with a posterior over its coefficients: predictions of structures from predictions of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uqbench.api import (
    KINDS,
    Array,
    Kind,
    LinearBackbone,
    ParameterPosterior,
    Posterior,
    Prediction,
    Predictions,
)
from uqbench.errors import UqbenchError
from uqbench.linear.references import reference_energy

if TYPE_CHECKING:
    from ase import Atoms

CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class LinearPosterior(Posterior):
    """What a LinearMethod learned, as a potential.

    references: energy of each element (eV), added back to the energies. known: rows of structures that are
    stored already, or None; rows of all others are computed.
    """

    backbone: LinearBackbone
    elements: tuple[str, ...]
    parameters: ParameterPosterior
    references: Mapping[str, float]
    known: Callable[[Atoms], Array | None]

    @property
    def facts(self) -> Mapping[str, float | str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the parameters."""
        return self.parameters.facts

    def predict(self, structures: Sequence[Atoms]) -> Predictions:
        """Energy per atom, forces and stress; see Posterior.predict."""
        for i, atoms in enumerate(structures):
            unseen = sorted(set(atoms.get_chemical_symbols()) - set(self.elements))
            if unseen:
                raise UqbenchError(
                    f"structure {i} holds {', '.join(unseen)}, which the training set (elements: "
                    f"{', '.join(self.elements)}) has no example of; train on frames that hold it."
                )
        parts: dict[Kind, list[Prediction]] = {k: [] for k in KINDS}
        pending: list[tuple[Atoms, Array]] = []
        size = 0
        for atoms, rows in zip(structures, self.rows(structures), strict=True):
            pending.append((atoms, rows))
            size += rows.nbytes
            if size > CHUNK_BYTES:
                self._predict_chunk(pending, parts)
                pending, size = [], 0
        if pending:
            self._predict_chunk(pending, parts)
        return Predictions(*(Prediction.concatenate(parts[k]) for k in KINDS))

    def rows(self, structures: Sequence[Atoms]) -> Iterator[Array]:
        """Design rows of each structure in turn (see LinearBackbone.rows), stored ones where there are."""
        fresh = [atoms for atoms in structures if self.known(atoms) is None]
        computed = self.backbone.rows(fresh, self.elements) if fresh else iter(())
        for atoms in structures:
            stored = self.known(atoms)
            yield next(computed) if stored is None else stored

    def _predict_chunk(
        self, pending: Sequence[tuple[Atoms, Array]], parts: Mapping[Kind, list[Prediction]]
    ) -> None:
        pieces: dict[Kind, list[Array]] = {k: [] for k in KINDS}
        for atoms, rows in pending:
            n = 1 + 3 * len(atoms)
            for kind, piece in zip(KINDS, (rows[:1], rows[1:n], rows[n:]), strict=True):
                pieces[kind].append(piece)
        shift = np.array([reference_energy(atoms, self.references) for atoms, _ in pending])
        for kind in KINDS:
            rows = np.concatenate(pieces[kind])
            if not len(rows):
                continue
            prediction = self.parameters.predict_rows(rows, kind)
            if len(prediction) != len(rows):
                raise UqbenchError(
                    f"{type(self.parameters).__name__}.predict_rows gave {len(prediction)} predictions of {kind} for "
                    f"{len(rows)} rows; one a row is needed."
                )
            parts[kind].append(prediction.shifted(shift) if kind == "energy" else prediction)
