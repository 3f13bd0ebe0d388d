"""The toy structures as the regression that a method is fitted to, and its result as a potential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from uqbench.api import Array, Frame, Kind, LinearProblem, ParameterPosterior, RowBlock
from uqbench.check.toy_backbone import ToyPairs
from uqbench.check.toy_data import ELEMENTS, SCALES
from uqbench.linear.model import LinearPosterior
from uqbench.linear.problem import build_problem
from uqbench.linear.references import fit_references

STRUCTURES_PER_BLOCK = 4


@dataclass(frozen=True)
class ToyProblem:
    """A problem whose blocks are held in memory, so that writing into them shows."""

    problem: LinearProblem
    blocks: tuple[RowBlock, ...]
    references: Mapping[str, float]

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> ToyProblem:
        """The regression of frames on the toy backbone, a few structures a block; all arrays are new."""
        rows = list(ToyPairs().rows([f.atoms for f in frames], ELEMENTS))
        references = fit_references(frames, ELEMENTS)
        whole = build_problem(frames, rows.__getitem__, SCALES, references)
        blocks = tuple(
            part
            for block in whole.blocks()
            for start in range(0, len(frames), STRUCTURES_PER_BLOCK)
            if len((part := _between(block, start, start + STRUCTURES_PER_BLOCK)).labels)
        )
        problem = LinearProblem(
            whole.n_features, whole.counts, whole.scales, whole.clusters, lambda: iter(blocks)
        )
        return cls(problem, blocks, references)

    def contents(self) -> dict[str, bytes]:
        """The bytes of every array that a method can reach, by name."""
        found = {
            f"{f.name} of block {i}": getattr(block, f.name).tobytes()
            for i, block in enumerate(self.blocks)
            for f in fields(block)
        }
        found["clusters"] = self.problem.clusters.tobytes()
        found["counts and scales"] = repr((self.problem.counts, self.problem.scales)).encode()
        return found

    def potential(self, parameters: ParameterPosterior) -> LinearPosterior:
        """The toy backbone with a posterior over its coefficients."""
        return LinearPosterior(ToyPairs(), ELEMENTS, parameters, self.references, lambda _: None)


def rows_by_kind(frames: Sequence[Frame]) -> dict[Kind, Array]:
    """Unweighted design rows of all observables of the frames."""
    parts: dict[Kind, list[Array]] = {"energy": [], "forces": [], "stress": []}
    for frame, rows in zip(frames, ToyPairs().rows([f.atoms for f in frames], ELEMENTS), strict=True):
        n = 1 + 3 * len(frame.atoms)
        parts["energy"].append(rows[:1])
        parts["forces"].append(rows[1:n])
        parts["stress"].append(rows[n:])
    return {kind: np.concatenate(pieces) for kind, pieces in parts.items()}


def _between(block: RowBlock, start: int, stop: int) -> RowBlock:
    inside = (block.structure >= start) & (block.structure < stop)
    return RowBlock(*(getattr(block, f.name)[inside] for f in fields(block)))
