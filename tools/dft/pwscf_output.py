"""What pw.x found, from its XML file, in eV and Å.

The energy is that of the smeared functional, F = E - TS, whose derivatives are the forces and the stress. Stress has
ASE's sign: positive under tension, σ = (1/V) dE/dε.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.dft.units import BOHR, HARTREE
from uqbench.api import Array
from uqbench.errors import UqbenchError


class CalculationFailed(UqbenchError):
    """pw.x did not finish, or not converge; the message says what it printed."""


@dataclass(frozen=True)
class Step:
    """A structure on the way of a relaxation. positions: (n, 3) Å. energy: eV. forces: (n, 3) eV/Å."""

    positions: Array
    energy: float
    forces: Array


@dataclass(frozen=True)
class Output:
    """The last structure with its labels.

    cell: (3, 3) Å. positions: (n, 3) Å. energy: F, eV. minus_ts: its part -TS, eV. forces: (n, 3) eV/Å. stress:
    (3, 3) eV/Å³, of the fixed set of plane waves. accuracy: of self-consistency, eV. iterations: of the last
    self-consistency. kpoints, bands: numbers of them. seconds: of the processor. steps: of a
    relaxation, the first being the start.
    """

    cell: Array
    positions: Array
    energy: float
    minus_ts: float
    forces: Array
    stress: Array
    accuracy: float
    iterations: int
    kpoints: int
    bands: int
    seconds: float
    steps: tuple[Step, ...] = ()


def read_output(path: Path) -> Output:
    """The XML file (prefix.xml) of a finished run. Raises CalculationFailed."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 (our own run's file)
        return _output(root)
    except (OSError, ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, CalculationFailed):
            raise
        raise CalculationFailed(
            f"{path.name} is missing or incomplete: {type(error).__name__}: {error}. Did pw.x stop early?"
        ) from error


def _output(root: ElementTree.Element) -> Output:
    output = _child(root, "output")
    scf = _child(output, "convergence_info/scf_conv")
    if not _true(scf):
        raise CalculationFailed("the density did not become self-consistent.")
    relaxation = output.find("convergence_info/opt_conv")
    if relaxation is not None and not _true(relaxation):
        raise CalculationFailed("the relaxation did not converge.")
    entropy = output.find("total_energy/demet")
    cell, positions = _structure(output)
    return Output(
        cell,
        positions,
        float(_text(output, "total_energy/etot")) * HARTREE,
        0.0 if entropy is None else float(entropy.text or "nan") * HARTREE,
        _forces(output),
        -_numbers(_text(output, "stress")).reshape(3, 3) * HARTREE / BOHR**3,
        float(_text(scf, "scf_error")) * HARTREE,
        int(_text(scf, "n_scf_steps")),
        int(_text(output, "band_structure/nks")),
        int(_text(output, "band_structure/nbnd")),
        float(_text(root, "timing_info/total/cpu")),
        tuple(
            Step(_structure(step)[1], float(_text(step, "total_energy/etot")) * HARTREE, _forces(step))
            for step in root.findall("step")
        ),
    )


def _structure(node: ElementTree.Element) -> tuple[Array, Array]:
    structure = _child(node, "atomic_structure")
    cell = np.array([_numbers(_text(structure, f"cell/{name}")) for name in ("a1", "a2", "a3")])
    atoms = structure.findall("atomic_positions/atom")
    return cell * BOHR, np.array([_numbers(atom.text or "") for atom in atoms]) * BOHR


def _forces(node: ElementTree.Element) -> Array:
    return _numbers(_text(node, "forces")).reshape(-1, 3) * HARTREE / BOHR


def _numbers(text: str) -> Array:
    return np.array([float(word) for word in text.split()])


def _true(node: ElementTree.Element) -> bool:
    return _text(node, "convergence_achieved").strip().lower() == "true"


def _text(node: ElementTree.Element, path: str) -> str:
    text = _child(node, path).text
    if text is None:
        raise ValueError(f"<{path}> is empty")
    return text


def _child(node: ElementTree.Element, path: str) -> ElementTree.Element:
    child = node.find(path)
    if child is None:
        raise ValueError(f"<{path}> is not there")
    return child
