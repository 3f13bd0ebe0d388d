"""Frames as plugins get them: copies, so that whatever becomes of them, those of the dataset stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uqbench.api import Array, Frame


def handed_over(frames: Sequence[Frame]) -> list[Frame]:
    """Copies of frames. Labels are read-only, so that writing to them is an error; a geometry may be moved."""
    return [
        replace(
            frame, atoms=frame.atoms.copy(), forces=_read_only(frame.forces), stress=_read_only(frame.stress)
        )
        for frame in frames
    ]


def _read_only(labels: Array | None) -> Array | None:
    if labels is None:
        return None
    copy = labels.copy()
    copy.setflags(write=False)
    return copy
