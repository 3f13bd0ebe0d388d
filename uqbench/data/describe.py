"""What was understood of a dataset, for a person to read."""

from __future__ import annotations

from collections import Counter

import numpy as np

from uqbench.data.dataset import Dataset


def describe(dataset: Dataset) -> str:
    """What was understood of a dataset: counts, elements, ranges, labels, groups, clusters, symmetry, warnings."""
    frames = dataset.frames
    atoms = sum(len(frame.atoms) for frame in frames)
    periodic = sum(bool(frame.atoms.pbc.all()) for frame in frames)
    sizes = [len(frame.atoms) for frame in frames]
    lines = [
        f"{dataset.name}: {len(frames)} frames, {atoms} atoms ({min(sizes)}-{max(sizes)} a frame), "
        f"elements {' '.join(dataset.elements)}, {periodic} periodic",
        f"  clusters: {len({frame.cluster for frame in frames})}"
        + (f"; {len(dataset.test)} frames are the given test set" if dataset.test else ""),
    ]
    energies = np.array([frame.energy / len(frame.atoms) for frame in frames if frame.energy is not None])
    if len(energies):
        lines.append(
            f"  energy: {len(energies)} frames, {energies.min():.4f} to {energies.max():.4f} eV/atom "
            f"(std {energies.std():.4f})"
        )
    for kind, unit in (("forces", "eV/Å"), ("stress", "eV/Å³")):
        having = [frame for frame in frames if getattr(frame, kind) is not None]
        if having:
            values = np.concatenate([getattr(frame, kind).ravel() for frame in having])
            free = np.concatenate([getattr(frame, f"free_{kind}").ravel() for frame in having])
            lines.append(
                f"  {kind}: {len(having)} frames, rms {np.sqrt(np.mean(values**2)):.4g}, largest "
                f"{np.abs(values).max():.4g} {unit}; {100 * np.mean(~free):.1f} % of {len(values)} components "
                "are zero by symmetry"
            )
        else:
            lines.append(f"  {kind}: none")
    groups = Counter(frame.config_type for frame in frames)
    held = set(dataset.card.held_out) if dataset.card else set()
    lines.append(
        "  groups: "
        + ", ".join(f"{name} {n}" + (" (held out)" * (name in held)) for name, n in groups.items())
    )
    lines.extend(f"  warning: {warning}" for warning in dataset.warnings)
    return "\n".join(lines)
