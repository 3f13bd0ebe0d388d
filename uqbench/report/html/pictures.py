"""Pictures of structures, where their datasets are at hand."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from uqbench.errors import UqbenchError

if TYPE_CHECKING:
    from ase import Atoms

    from uqbench.data.dataset import Dataset
    from uqbench.suite.record import Record

MOST_PICTURES = 80
"""In one page."""
_INCHES, _DPI = 1.6, 90
_ROTATION = "-80x,15y,5z"
"""A little from above and from the side, so that layers are told apart."""


@dataclass
class Gallery:
    """Pictures by dataset (name and hash) and frame, each drawn once; and why a dataset has none.

    reasons: by name of dataset. left_out: structures beyond MOST_PICTURES.
    """

    pictures: dict[str, dict[str, Any]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    left_out: int = 0
    _datasets: dict[str, Dataset | None] = field(default_factory=dict)

    def add(self, record: Record, frames: Iterable[int]) -> None:
        """Draw the frames of a record's dataset that are not there yet, while there is room."""
        dataset = self._dataset(record)
        if dataset is None:
            return
        for frame in frames:
            key = picture_key(record, frame)
            if key in self.pictures or not 0 <= frame < len(dataset.frames):
                continue
            if len(self.pictures) >= MOST_PICTURES:
                self.left_out += 1
                continue
            one = dataset.frames[frame]
            image = base64.b64encode(draw_png(one.atoms)).decode()
            self.pictures[key] = {
                "image": f"data:image/png;base64,{image}",
                "formula": one.atoms.get_chemical_formula("metal"),
                "atoms": len(one.atoms),
                "source": one.source.rpartition("/")[2],
            }

    def _dataset(self, record: Record) -> Dataset | None:
        from uqbench.suite.datasets import load
        from uqbench.suite.run import default_cache

        name, data_hash = record.cell.dataset, record.data.hash
        key = f"{name} {data_hash}"
        if key not in self._datasets:
            self._datasets[key] = None
            try:
                found = load(name, default_cache())
            except UqbenchError as error:
                self.reasons[name] = str(error)
            else:
                if found.data_hash == data_hash:
                    self._datasets[key] = found
                else:
                    self.reasons[name] = (
                        "The dataset at hand is not the one that was scored (its hash differs)."
                    )
        return self._datasets[key]


def picture_key(record: Record, frame: int) -> str:
    """Of one structure of one dataset."""
    return f"{record.data.hash[:16]} {frame}"


def draw_png(atoms: Atoms) -> bytes:
    """A small picture of a structure on white, its cell dashed."""
    from ase.io.utils import PlottingVariables, make_patch_list
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, _INCHES), dpi=_DPI)
    axis = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    drawn = PlottingVariables(atoms, scale=1, radii=0.4, rotation=_ROTATION)
    # All at once: a patch at a time, as ASE's own plot has it, takes four times as long.
    axis.add_collection(PatchCollection(make_patch_list(drawn), match_original=True))
    axis.set(aspect="equal", xlim=(0, drawn.w), ylim=(0, drawn.h))
    axis.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
