"""Do the labels look like eV and eV/Å? Warnings, never errors: odd data exist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from uqbench.data.read import RawFrame
from uqbench.data.trajectories import displacements

HARTREE, RYDBERG, KCAL, KJ = 27.211386, 13.605693, 1 / 23.060548, 1 / 96.485332
"""eV per hartree, rydberg, kcal/mol and kJ/mol."""

BOHR = 0.52917721
"""Å per bohr."""

SLOPES = {
    "energies in Ha": 1 / HARTREE,
    "energies in Ry": 1 / RYDBERG,
    "energies in kcal/mol": 1 / KCAL,
    "energies in kJ/mol": 1 / KJ,
    "forces in Ha/bohr": HARTREE / BOHR,
    "forces in Ry/bohr": RYDBERG / BOHR,
    "forces in kcal/mol/Å": KCAL,
    "energies in Ha with forces in Ha/bohr": 1 / BOHR,
}
"""Energy change over work, in the stated numbers, that these mistakes give."""

LARGEST_STEP = 0.8
"""Å; up to here the trapezoidal rule holds to a quarter (copper, silicon, molybdenum, lithium up to melting)."""

LARGEST_RMS_FORCE = 15.0
"""eV/Å; melts under pressure stay below, molecules at room temperature in kcal/mol/Å are above."""

LARGEST_RMS_STRESS = 0.5
"""eV/Å³, 80 GPa; sets have 0.001 to 0.1, in GPa 160 times that."""

USUAL = 0.9
"""Share of frames whose stress counts, the smallest: sets for repulsive walls reach 10 eV/Å³ in some."""

SPREADS = (1e-3, 3.0)
"""Å; spread of the energy per atom over the rms force. Sets in eV and eV/Å have 0.006 (one molecule at one
temperature) to 1 (many phases)."""


def unit_warnings(frames: Sequence[RawFrame]) -> list[str]:
    """What makes the units implausible, in words.

    Neighbouring frames with the same atoms in the same cell: the energy difference is the work of the forces,
    -(F_a + F_b) · (x_b - x_a) / 2, with slope one; another slope tells a wrong unit of either. Where there are no
    five such pairs with a correlation above 0.9: the spread of energies per atom (robust, per-element averages
    taken off) over the rms force, a length, must be in SPREADS. That finds energies in kcal/mol only for
    sets of more than one phase, and in Ha only for narrow ones. Energies and forces both in kcal/mol show in the
    rms force; both in Ha and Ha/Å cannot be told from a soft material. Stresses in kbar show in their rms,
    those in GPa mostly.
    """
    return [*_stress_warnings(frames), *_energy_and_force_warnings(frames)]


def _stress_warnings(frames: Sequence[RawFrame]) -> list[str]:
    squares: dict[str, list[float]] = defaultdict(list)
    for frame in frames:
        if frame.stress is not None:
            squares[frame.file].append(float(np.mean(frame.stress**2)))
    warnings = []
    for file, found in squares.items():
        rms = np.sqrt(np.mean(sorted(found)[: int(np.ceil(USUAL * len(found)))]))
        if rms > LARGEST_RMS_STRESS:
            warnings.append(
                f"{file}: the rms stress is {rms:.3g} eV/Å³ in nine tenths of the frames (plausible: below "
                f"{LARGEST_RMS_STRESS:g}): is it in GPa or kbar? eV/Å³ is needed."
            )
    return warnings


def _energy_and_force_warnings(frames: Sequence[RawFrame]) -> list[str]:
    both = [frame for frame in frames if frame.energy is not None and frame.forces is not None]
    if len(both) < 5:
        return []
    warnings = []
    forces = np.concatenate([frame.forces.ravel() for frame in both if frame.forces is not None])
    rms = float(np.sqrt(np.mean(forces**2)))
    if rms > LARGEST_RMS_FORCE:
        warnings.append(
            f"the rms force is {rms:.3g} eV/Å (plausible: below {LARGEST_RMS_FORCE:g}): "
            "are forces in kcal/mol/Å? eV/Å is needed."
        )
    slope = _work_slope(both)
    if slope is not None:
        if not 0.7 < slope < 1.4:
            warnings.append(
                f"energy differences of neighbouring frames are {slope:.3g} times the work of the forces "
                f"(should be 1): {_guess(slope, both)} Total energies in eV and forces in eV/Å are needed."
            )
    elif rms > 1e-3:
        spread = _energy_spread(both)
        if 0.0 < spread < SPREADS[0] * rms or spread > SPREADS[1] * rms:
            cause = "energies in Ha" if spread < rms else "energies in kcal/mol, or forces in Ha/bohr"
            warnings.append(
                f"energies per atom spread over {spread:.3g} eV where forces are {rms:.3g} eV/Å rms; their ratio, "
                f"{spread / rms:.2g} Å, is outside {SPREADS[0]:g}-{SPREADS[1]:g} Å: are {cause}? "
                "Total energies in eV and forces in eV/Å are needed."
            )
    return warnings


def _work_slope(frames: Sequence[RawFrame]) -> float | None:
    """Least-squares slope of energy differences on work, or None if they tell nothing."""
    alike: dict[bytes, list[RawFrame]] = defaultdict(list)
    for frame in frames:
        atoms = frame.atoms
        alike[atoms.numbers.tobytes() + np.round(atoms.cell.array, 6).tobytes() + atoms.pbc.tobytes()].append(
            frame
        )
    pairs = [
        (work, after.energy - before.energy)
        for group in alike.values()
        for before, after in pairwise(group)
        if before.energy is not None
        and after.energy is not None
        and (work := _work(before, after)) is not None
    ]
    if len(pairs) < 5:
        return None
    work, change = np.array(pairs).T
    if abs(work @ change) < 0.9 * np.sqrt((work @ work) * (change @ change)):
        return None
    return float(work @ change / (work @ work))


def _work(before: RawFrame, after: RawFrame) -> float | None:
    """Work of the forces against the step, eV; None if the step is too large or nothing happens in it."""
    step = displacements(before.atoms, after.atoms)
    if before.forces is None or after.forces is None or np.abs(step).max() > LARGEST_STEP:
        return None
    work = float(-0.5 * np.sum((before.forces + after.forces) * step))
    return work if abs(work) > 1e-4 else None


def _energy_spread(frames: Sequence[RawFrame]) -> float:
    """Robust standard deviation of energies per atom about the best average per element, eV."""
    elements = sorted({int(z) for frame in frames for z in frame.atoms.numbers})
    shares = np.array([[np.mean(frame.atoms.numbers == z) for z in elements] for frame in frames])
    energies = np.array([(frame.energy or 0.0) / len(frame.atoms) for frame in frames])
    rest = energies - shares @ np.linalg.lstsq(shares, energies, rcond=None)[0]
    return float(1.4826 * np.median(np.abs(rest - np.median(rest))))


def _guess(slope: float, frames: Sequence[RawFrame]) -> str:
    if slope < 0:
        return "do forces have the wrong sign (gradients)?"
    atoms = float(np.median([len(frame.atoms) for frame in frames]))
    suspects = {**SLOPES, "energies per atom instead of total": 1 / atoms}
    likely = [name for name, value in suspects.items() if slope and abs(np.log(slope / value)) < 0.3]
    return f"are these {' or '.join(likely)}?" if likely else "energies and forces do not belong together."
