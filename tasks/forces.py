"""Energies per atom, force components and stress components of held-out structures.

Components that symmetry makes zero are counted and never scored: every potential gets them right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from uqbench.api import KINDS, UNITS, Frame, FrameTask, NotApplicable, Posterior, Table, size_of


@dataclass(frozen=True)
class Forces(FrameTask):
    """The labels of the frames themselves, each kind a table."""

    def evaluate(self, posterior: Posterior, frames: Sequence[Frame]) -> Mapping[str, Table]:
        """Tables "energy" (eV/atom), "forces" (eV/Å) and "stress" (eV/Å³), as far as frames are labelled."""
        predictions = posterior.predict([f.atoms for f in frames])
        tables = {}
        for kind in KINDS:
            prediction = getattr(predictions, kind)
            if prediction is None:
                continue
            index, reference, structure, free = [], [], [], []
            start = 0
            for i, frame in enumerate(frames):
                n = size_of(kind, frame.atoms)
                labels = frame.labels(kind)
                if labels is not None:
                    index.append(np.arange(start, start + n))
                    reference.append(labels)
                    structure.append(np.full(n, i))
                    free.append(frame.free(kind))
                start += n
            if index:
                tables[kind] = Table(
                    UNITS[kind],
                    prediction.take(np.concatenate(index)),
                    np.concatenate(reference),
                    np.concatenate(structure),
                    np.concatenate(free),
                )
        if not tables:
            raise NotApplicable("no frame has a label of a kind that the method predicts.")
        return tables
