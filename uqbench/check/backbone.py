"""The contract of a linear backbone, or of a network's last layer: rows are derivatives of one potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import default_rng

from uqbench.api import Array, Backbone, LinearBackbone, NetworkBackbone, NetworkRequest, size_of
from uqbench.check.finding import Broken, Finding, Skipped, examine
from uqbench.check.potential import STEP, moved, strained
from uqbench.check.toy_data import ELEMENTS, toy_frames, unseen_structures
from uqbench.errors import UqbenchError
from uqbench.linear.last_layer import LastLayer
from uqbench.linear.references import fit_references
from uqbench.registry import Registry, source_file
from uqbench.spec import parse_spec

if TYPE_CHECKING:
    from ase import Atoms

TOLERANCE = 1e-3
"""Of slopes, relative to a column's largest: some descriptors have a kink in a derivative at their cutoff."""


def check_backbone(text: str, registry: Registry) -> list[Finding]:
    """Rows and potential of NAME or NAME:field=value for copper-gold structures.

    A network is trained on the toy structures first: ask for few epochs.

    Raises UqbenchError only for a name that is not there.
    """
    sources = [source_file(registry.find("backbones", text.partition(":")[0]))]
    built: list[LinearBackbone] = []
    findings = [examine("parameters", sources, _build, text, registry, built)]
    for backbone in built:
        findings += [examine(what, sources, check, backbone) for what, check in CHECKS.items()]
    return findings


def check_shapes(backbone: LinearBackbone) -> None:
    """An array of finite float64 a structure, of the shape that LinearBackbone.rows states."""
    structures, p = unseen_structures(), backbone.n_features(ELEMENTS)
    for atoms, rows in zip(structures, _rows(backbone, structures), strict=True):
        wanted = (1 + 3 * len(atoms) + size_of("stress", atoms), p)
        if not isinstance(rows, np.ndarray) or rows.dtype != np.float64 or rows.shape != wanted:
            raise Broken(
                f"rows of {atoms.get_chemical_formula()} (pbc {atoms.pbc.tolist()}) are of type "
                f"{getattr(rows, 'dtype', type(rows).__name__)} and shape {np.shape(rows)}; "
                f"float64 and {wanted} are needed."
            )
        if not np.isfinite(rows).all():
            raise Broken(f"rows of {atoms.get_chemical_formula()} hold numbers that are not finite.")


def check_any_number(backbone: LinearBackbone) -> None:
    """No structures give no rows; a structure's rows do not depend on the others'; structures stay as they are."""
    if _rows(backbone, []):
        raise Broken("an empty list of structures gives rows.")
    structures = [a.copy() for a in unseen_structures()]
    for atoms, rows, before in zip(structures, _rows(backbone, structures), unseen_structures(), strict=True):
        if atoms != before:
            raise Broken(
                f"rows changes the structure {before.get_chemical_formula()} it is given; work on a copy."
            )
        if not np.allclose(rows, _rows(backbone, [before])[0], rtol=1e-9, atol=1e-12):
            raise Broken(f"rows of {before.get_chemical_formula()} alone and among others differ.")


def check_derivatives(backbone: LinearBackbone) -> None:
    """Force rows are minus the gradient of the energy row, stress rows its strain derivative a volume."""
    for atoms in unseen_structures():
        n = len(atoms)
        rows = _rows(backbone, [atoms])[0]
        slopes = -_energy_slopes(backbone, [moved(atoms, c, d) for c in range(3 * n) for d in (1, -1)])
        _require_slopes("force", rows[1 : 1 + 3 * n], slopes)
        if atoms.pbc.all():
            slopes = _energy_slopes(backbone, [strained(atoms, v, d) for v in range(6) for d in (1, -1)])
            _require_slopes("stress", rows[1 + 3 * n :], slopes / atoms.get_volume())


def check_unseen_element(backbone: LinearBackbone) -> None:
    """An element that there are no columns for is an error."""
    stranger = unseen_structures()[0].copy()
    stranger.symbols[0] = "Ni"
    try:
        _rows(backbone, [stranger])
    except UqbenchError:
        return
    raise Broken("rows of a structure with an element that is not in elements are given; raise UqbenchError.")


def check_potential(backbone: LinearBackbone) -> None:
    """The fast potential gives rows times coefficients."""
    structures = unseen_structures()
    table = _rows(backbone, structures)
    size = np.sqrt(np.mean(np.concatenate(table) ** 2, axis=0))
    theta = default_rng(4).standard_normal(len(size)) / np.where(size > 0, size, 1.0)
    calculator = backbone.potential(theta, ELEMENTS)
    for atoms, rows in zip(structures, table, strict=True):
        copy = atoms.copy()
        copy.calc = calculator
        found = [[copy.get_potential_energy() / len(atoms)], copy.get_forces().ravel()]
        if atoms.pbc.all():
            found.append(copy.get_stress())
        apart = np.abs(np.concatenate(found) - rows @ theta).max()
        if apart > 1e-6 * (1.0 + np.abs(rows @ theta).max()):
            raise Broken(
                f"the potential of {atoms.get_chemical_formula()} differs from rows times coefficients by up to "
                f"{apart:.3g}."
            )


CHECKS: dict[str, Callable[[LinearBackbone], None]] = {
    "shapes": check_shapes,
    "none, one or many structures": check_any_number,
    "energy, forces and stress of one potential": check_derivatives,
    "unseen element": check_unseen_element,
    "potential": check_potential,
}


def _build(text: str, registry: Registry, built: list[LinearBackbone]) -> None:
    backbone: Backbone = parse_spec(text, registry, "backbones").build(registry, "backbones")
    if isinstance(backbone, NetworkBackbone):
        built.append(_last_layer(backbone))
    elif isinstance(backbone, LinearBackbone):
        built.append(backbone)
    else:
        raise Skipped("only linear backbones and networks have rows to check.")


def _last_layer(backbone: NetworkBackbone) -> LastLayer:
    frames = toy_frames()
    references = fit_references(frames, ELEMENTS)
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        trained = backbone.train(NetworkRequest(frames, ELEMENTS, references, 0, checkpoint=checkpoint))
        trained.save(Path(folder) / "network")
        network = backbone.load(Path(folder) / "network")
    return LastLayer("toy", ELEMENTS, "cpu", network)


def _rows(backbone: LinearBackbone, structures: Sequence[Atoms]) -> list[Array]:
    return list(backbone.rows(structures, ELEMENTS))


def _energy_slopes(backbone: LinearBackbone, pairs: Sequence[Atoms]) -> Array:
    totals = np.array([len(a) * rows[0] for a, rows in zip(pairs, _rows(backbone, pairs), strict=True)])
    return (totals[0::2] - totals[1::2]) / (2.0 * STEP)


def _require_slopes(kind: str, rows: Array, slopes: Array) -> None:
    apart = np.abs(rows - slopes).max(axis=0)
    wrong = np.flatnonzero(apart > TOLERANCE * np.abs(slopes).max() + 1e-8)
    if len(wrong):
        raise Broken(
            f"{kind} rows of column {wrong[0]} differ from the derivative of its energy by up to "
            f"{apart[wrong[0]]:.3g} ({len(wrong)} such columns): check sign, unit and order of components."
        )
